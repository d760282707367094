"""manage.py doctor: why can the site not reach its database? Runs four steps in the task and reports each.

  1 environment   are all required settings present?
  2 network       does the name resolve, does the port respond?
  3 log-in        does Postgres accept this role for this database, over verified TLS?
  4 Django        does Django's own connection work, are the migrations applied?

A failed step shows the likely cause, and later steps are skipped. Exit code 0 if all steps pass, otherwise 1.
No secret is printed.
"""

import os
import socket
import time

NAMES = ["DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_SSLMODE", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS",
         "SITE_URL", "SITE_HTTPS", "MEDIA_BUCKET", "AWS_REGION", "SETTINGS_VERSION"]  # fmt: skip
SECRETS = ["DB_PASSWORD", "SECRET_KEY"]


class Sick(Exception):
    """A step failed: what happened, and the likely cause."""

    def __init__(self, seen, cause):
        super().__init__(seen)
        self.seen, self.cause = seen, cause


def environment(tell):
    from django.core.exceptions import ImproperlyConfigured

    for name in NAMES:
        tell(f"{name}={os.environ.get(name, '(not set)')}")
    for name in SECRETS:
        value = os.environ.get(name, "")
        tell(f"{name}: {len(value)} characters" if value else f"{name}: (not set)")
    try:
        from website import settings
    except ImproperlyConfigured as refusal:
        raise Sick(str(refusal), "the task definition: a variable or a secret is missing or wrong there") from None
    return settings.DATABASES["default"]


def network(tell, database):
    host, port = database["HOST"], database["PORT"]
    try:
        addresses = sorted({found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except OSError as error:
        raise Sick(f"{host} does not resolve: {error}",
                   "DB_HOST is not the address of the instance, or the VPC has DNS names switched off") from None  # fmt: skip
    tell(f"{host} is {', '.join(addresses)}")
    start = time.monotonic()
    try:
        socket.create_connection((host, port), timeout=5).close()
    except TimeoutError:
        raise Sick(f"no answer from {host}:{port} within 5 s",
                   "a firewall: the task's security group must be allowed in by the database's, on this port; "
                   "or the subnets have no route to each other") from None  # fmt: skip
    except ConnectionRefusedError:
        raise Sick(f"{host}:{port} refuses", "DB_PORT is wrong, or the database is stopped or still starting") from None
    except OSError as error:
        raise Sick(f"{host}:{port}: {error}", "the subnets have no route to each other") from None
    tell(f"port {port} answers after {(time.monotonic() - start) * 1000:.0f} ms")


# Errors of Postgres or libpq and their usual causes. The first match wins.
CAUSES = [
    ("root certificate file", "the certificates of RDS are not in the image: build it with RDS_CA"),
    ("password authentication failed", "DB_USERNAME or DB_PASSWORD: the secret and the database's password differ; "
                                       "after a change, tasks keep the old one until they are replaced"),
    ("no password supplied", "DB_PASSWORD is empty"),
    ("does not exist", "DB_DATABASE or DB_USERNAME names something that does not exist; the migration creates the site's role"),
    ("is not permitted to log in", "the role was created without LOGIN"),
    ("permission denied for database", "the role may not connect: the migration has not granted it yet"),
    ("no pg_hba.conf entry", "the server insists on TLS (rds.force_ssl) and DB_SSLMODE does not use it"),
    ("does not support SSL", "DB_SSLMODE asks for TLS and the server has none"),
    ("certificate verify failed", "the server's certificate is not signed by the bundle in the image: rebuild it with the current RDS_CA"),
    ("does not match host name", "DB_HOST is an alias: use the instance's own address, which its certificate names"),
    ("too many connections", "max_connections is reached: fewer tasks or threads, or a larger instance"),
    ("remaining connection slots", "max_connections is reached: fewer tasks or threads, or a larger instance"),
    ("starting up", "the database is starting: wait"),
    ("timeout", "the server accepts connections and does not answer: overloaded, or failing over"),
]  # fmt: skip


def cause_of(words):
    return next((cause for part, cause in CAUSES if part in words), "none of the usual ones: the words above are the server's own")


def log_in(tell, database):
    import psycopg

    options = database["OPTIONS"]
    try:
        with psycopg.connect(host=database["HOST"], port=database["PORT"], dbname=database["NAME"], user=database["USER"],
                             password=database["PASSWORD"], sslmode=options["sslmode"], sslrootcert=options["sslrootcert"],
                             connect_timeout=5) as connection:  # fmt: skip
            tls, version, number = connection.execute(
                "SELECT ssl, coalesce(version, ''), current_setting('server_version') FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone()
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise Sick(words, cause_of(words)) from None
    tell(f"Postgres {number} let {database['USER']} into {database['NAME']}, {version if tls else 'without TLS'}")
    if options["sslmode"] != "verify-full":
        tell(f"note: DB_SSLMODE={options['sslmode']} does not prove that this is the right server; verify-full does")


def django(tell, database):
    import django
    from django.db import Error, connection

    django.setup()
    from website import health

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = health.unapplied()
    except Error as error:
        words = " ".join(str(error).split())
        raise Sick(words, "psycopg alone gets in, so it is DATABASES in the settings: its OPTIONS first") from None
    if missing:
        raise Sick(f"{len(missing)} migrations are missing, the first is {missing[0]}",
                   "the migration task of this release did not run or failed: see its log, or run migrate_locked")  # fmt: skip
    tell("Django's connection works and every migration is applied")


def main(arguments=(), out=print):
    if arguments:
        out(__doc__.strip())
        return 0 if arguments[0] in ("-h", "--help") else 2
    steps = [("environment", environment), ("network", network), ("log-in", log_in), ("Django", django)]
    database, sick = None, None
    for number, (name, step) in enumerate(steps, 1):
        if sick:
            out(f"{number} {name}: not tried")
            continue
        lines = []
        try:
            found = step(lines.append) if database is None else step(lines.append, database)
            database = database or found
        except Sick as error:
            sick = error
        out(f"{number} {name}: {'FAILED' if sick else 'ok'}")
        for line in lines:
            out(f"    {line}")
        if sick:
            out(f"    seen: {sick.seen}")
            out(f"    likely cause: {sick.cause}")
    return 1 if sick else 0
