"""ca_bundle.py SOURCE SHA256 TARGET: adds the CA certificates of the database to the image.

SOURCE is an https URL or an absolute path. With a SHA256 any other content is an error; without one only the TLS
certificate of the URL is verified.
"""

import hashlib
import pathlib
import ssl
import sys
import urllib.request

source, wanted, target = sys.argv[1], sys.argv[2].lower(), pathlib.Path(sys.argv[3])
if source.startswith("https://"):
    data = urllib.request.urlopen(source, timeout=60).read()
elif source.startswith("/"):
    data = pathlib.Path(source).read_bytes()
else:
    sys.exit(f"RDS_CA must be an https:// URL or an absolute path, got {source!r}")

found = hashlib.sha256(data).hexdigest()
if wanted and wanted != found:
    sys.exit(f"RDS_CA {source}: sha256 is {found}, but RDS_CA_SHA256 is {wanted}")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_verify_locations(cadata=data.decode("ascii", "ignore"))
count = context.cert_store_stats()["x509_ca"]
if not count:
    sys.exit(f"RDS_CA {source}: contains no CA certificate")
target.parent.mkdir(parents=True, exist_ok=True)
target.write_bytes(data)
target.chmod(0o644)
print(f"{count} CA certificates from {source}, sha256 {found}")
