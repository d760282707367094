#!/bin/sh
# install.sh pypi|base VENV: creates the virtual environment of an image.
#   pypi  installs exactly requirements.txt and checks every file against its hash
#   base  uses the base image's packages, without network access, and fails unless they satisfy requirements.in
set -eu
here=$(dirname "$0")
case $1 in
pypi)
	if ! grep -q -- '--hash=sha256:' "$here/requirements.txt"; then
		echo "requirements.txt contains no hashes: run app/lock.sh with access to PyPI and commit the result" >&2
		exit 1
	fi
	python3 -m venv --without-pip "$2"
	python3 -m pip --python "$2/bin/python" install --no-compile --require-hashes --only-binary :all: -r "$here/requirements.txt"
	;;
base)
	python3 -m venv --without-pip --system-site-packages "$2"
	# --no-deps: the distribution is responsible for indirect dependencies.
	python3 -m pip --python "$2/bin/python" install --no-index --no-deps -r "$here/requirements.in"
	printf '#!/bin/sh\nexec %s/bin/python -m gunicorn "$@"\n' "$2" >"$2/bin/gunicorn"
	chmod 755 "$2/bin/gunicorn"
	;;
*)
	echo "PACKAGES must be pypi or base, got '$1'" >&2
	exit 2
	;;
esac
# A package may be installed without the part that the site uses.
"$2/bin/python" -c 'import django, gunicorn, psycopg, storages.backends.s3, PIL.Image'
