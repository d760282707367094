"""Migrates the database once per release, even if several tasks run it, and maintains the site's own role."""

import os
import time

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, OperationalError, connection
from psycopg import sql
from psycopg.errors import Error, LockNotAvailable

from website import health

# Advisory locks are numbers; this one is ours ("slipway" in ASCII).
LOCK = 0x736C6970776179


class Command(BaseCommand):
    help = (
        "Migrates as the owner of the database, one task at a time, then creates or alters the site's restricted role "
        "SITE_DB_USERNAME with SITE_DB_PASSWORD. Can be repeated at any time."
    )

    def add_arguments(self, parser):
        parser.add_argument("--wait", type=int, default=300, help="seconds to wait for the database and for another migration (300)")
        parser.add_argument("--lock-timeout", type=int, default=15, help="seconds that a migration may wait for a table in use (15)")

    def handle(self, *, wait, lock_timeout, **options):
        username, password = os.environ.get("SITE_DB_USERNAME", ""), os.environ.get("SITE_DB_PASSWORD", "")
        if bool(username) != bool(password):
            raise CommandError("SITE_DB_USERNAME and SITE_DB_PASSWORD must be set together: one of them is missing")
        if username == connection.settings_dict["USER"]:
            raise CommandError("SITE_DB_USERNAME must not be the owner DB_USERNAME: the site's role has fewer permissions")

        deadline = time.monotonic() + wait
        self.reach(deadline)
        # The lock has its own connection: it is kept whatever migrations do to theirs, and released when the task ends.
        keeper = connection.copy()
        try:
            self.lock(keeper, deadline)
            with connection.cursor() as cursor:
                # A migration needs more than a page's 15 s. But it must not wait long for a table that is in use, because all
                # other queries on that table queue up behind it.
                cursor.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', %s, false)", [f"{lock_timeout}s"])
            before = health.unapplied()
            try:
                call_command("migrate", interactive=False, verbosity=0)
            except Exception as error:
                name = self.failed(before)
                if name:
                    error.add_note(f"migration failed: {name}")  # the last line of the traceback
                if not isinstance(error, OperationalError) or not isinstance(error.__cause__, LockNotAvailable):
                    raise
                raise CommandError(
                    f"the migration {name or 'of this release'} waited {lock_timeout} s for a table that is in use and gave up, "
                    f"to avoid blocking the site: try again, or raise --lock-timeout"
                ) from error
            self.stdout.write(f"{len(before)} migrations applied" + "".join(f"\n  {name}" for name in before))
            if username:
                self.role(username, password)
        finally:
            keeper.close()

    def failed(self, before):
        """The first of these migrations that is still not applied; none if the database does not say."""
        try:
            missing = health.unapplied()
        except DatabaseError:
            return ""
        return next((name for name in before if name in missing), "")

    def reach(self, deadline):
        """Wait for a new database that is still starting. A rejected login fails at once."""
        while True:
            try:
                return connection.ensure_connection()
            except OperationalError as error:
                waiting = "Connection refused" in str(error) or "starting up" in str(error) or "timeout" in str(error)
                if not waiting or time.monotonic() > deadline:
                    raise CommandError(f"cannot connect to the database: {error}".strip()) from None
            self.stdout.write("waiting for the database")
            time.sleep(2)

    def lock(self, keeper, deadline):
        with keeper.cursor() as cursor:
            while True:
                cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
                if cursor.fetchone()[0]:
                    return
                if time.monotonic() > deadline:
                    raise CommandError("another migration is running and did not finish in time")
                self.stdout.write("waiting for another migration")
                time.sleep(1)

    def role(self, username, password):
        """The role may read and write rows and nothing else: it cannot create tables or assume another role."""
        connection.ensure_connection()
        raw = connection.connection
        role, owner = sql.Identifier(username), sql.Identifier(connection.settings_dict["USER"])
        database = sql.Identifier(connection.settings_dict["NAME"])
        try:
            with raw.transaction(), raw.cursor() as cursor:
                # The server sees and logs only the SCRAM verifier.
                verifier = raw.pgconn.encrypt_password(password.encode(), username.encode(), b"scram-sha-256").decode()
                cursor.execute("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = %s", [username])
                found = cursor.fetchone()
                if found and found[0]:
                    raise CommandError(f"the role {username} has more permissions than the site's role should have: choose another SITE_DB_USERNAME")
                verb = sql.SQL("ALTER" if found else "CREATE")
                cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(verifier)))
                for statement in GRANTS:
                    cursor.execute(sql.SQL(statement).format(role=role, owner=owner, database=database))
        except Error as error:
            # Not the statement, which contains the verifier; the server's message is enough.
            raise CommandError(f"the role {username} could not be created: {error.diag.message_primary or type(error).__name__}") from None
        self.stdout.write(f"role {username} {'altered' if found else 'created'} and granted")


GRANTS = [
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    # It reads the applied migrations for /readyz; only the owner records them.
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
]
