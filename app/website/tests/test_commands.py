"""migrate_locked and doctor, on the real database."""

import io
import os
import socket
from unittest import mock

import psycopg
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import SimpleTestCase, TransactionTestCase

from website import doctor
from website.management.commands.migrate_locked import LOCK

PASSWORD = "it's a \"pass\\word'; DROP TABLE feed_post"
ROLE = 'site "role"'


def connect(**changes):
    settings = connection.settings_dict
    options = {key: settings["OPTIONS"][key] for key in ("sslmode", "sslrootcert")}
    parameters = {"host": settings["HOST"], "port": settings["PORT"], "dbname": settings["NAME"], "user": settings["USER"], "password": settings["PASSWORD"]}
    return psycopg.connect(**{**parameters, **options, **changes}, autocommit=True)


class MigrateLockedTest(TransactionTestCase):
    def setUp(self):
        self.addCleanup(self.drop)

    def drop(self):
        # The command changes the connection's limits.
        connection.close()
        with connect() as owner:
            if owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone():
                owner.execute('GRANT "site ""role""" TO CURRENT_USER')
                owner.execute('DROP OWNED BY "site ""role"""')
                owner.execute('DROP ROLE "site ""role"""')

    def migrate(self, username=ROLE, password=PASSWORD, **options):
        out = io.StringIO()
        values = {"SITE_DB_USERNAME": username, "SITE_DB_PASSWORD": password}
        with mock.patch.dict(os.environ, {name: value for name, value in values.items() if value is not None}):
            call_command("migrate_locked", stdout=out, **options)
        self.assertNotIn(PASSWORD, out.getvalue())
        return out.getvalue()

    def test_creates_the_restricted_role_and_can_be_repeated(self):
        self.assertIn("created and granted", self.migrate())
        self.assertIn("0 migrations applied", self.migrate())
        with connect(user=ROLE, password=PASSWORD) as site:
            site.execute("INSERT INTO feed_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined, bio)"
                         " VALUES ('ada', '', false, '', '', '', false, true, now(), '')")  # fmt: skip
            self.assertEqual(site.execute("SELECT count(*) FROM feed_user").fetchone(), (1,))
            site.execute("DELETE FROM feed_user")
            site.execute("SELECT * FROM django_migrations")
            for forbidden in (
                "CREATE TABLE mine (id int)",
                "DROP TABLE feed_post",
                "ALTER TABLE feed_post ADD COLUMN x int",
                "TRUNCATE feed_post",
                "DELETE FROM django_migrations",
                "CREATE ROLE other",
                "SET ROLE owner",
            ):
                with self.subTest(forbidden), self.assertRaises(psycopg.errors.InsufficientPrivilege):
                    site.execute(forbidden)

    def test_later_tables_are_granted_too(self):
        self.migrate()
        with connect() as owner:
            owner.execute("CREATE TABLE later (id serial)")
            self.addCleanup(lambda: connect().execute("DROP TABLE later"))
        with connect(user=ROLE, password=PASSWORD) as site:
            site.execute("INSERT INTO later DEFAULT VALUES")

    def test_new_password(self):
        self.migrate()
        self.assertIn("altered and granted", self.migrate(password="another"))
        connect(user=ROLE, password="another").close()
        with self.assertRaises(psycopg.OperationalError):
            connect(user=ROLE, password=PASSWORD)

    def test_without_a_role_it_only_migrates(self):
        self.assertEqual(self.migrate(username=None, password=None), "0 migrations applied\n")

    def test_waits_for_another_migration_and_gives_up(self):
        with connect() as other:
            other.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            with self.assertRaisesMessage(CommandError, "another migration is running"):
                self.migrate(wait=1)
        self.migrate(wait=1)

    def test_lock_is_released_after_a_failure(self):
        with mock.patch("website.management.commands.migrate_locked.call_command", side_effect=RuntimeError("broken")):
            with self.assertRaisesMessage(RuntimeError, "broken"):
                self.migrate()
        with connect() as other:
            self.assertTrue(other.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()[0])

    def test_a_failure_names_the_migration(self):
        names = [["feed.0001_initial", "feed.0002_broken", "feed.0003_later"], ["feed.0002_broken", "feed.0003_later"]]
        command = "website.management.commands.migrate_locked"
        with mock.patch(f"{command}.health.unapplied", side_effect=names), mock.patch(f"{command}.call_command", side_effect=RuntimeError("broken")):
            with self.assertRaises(RuntimeError) as caught:
                self.migrate()
        self.assertEqual(caught.exception.__notes__, ["migration failed: feed.0002_broken"])

    def test_does_not_wait_long_for_a_table_in_use(self):
        def alter(*args, **options):
            with connection.cursor() as cursor:
                cursor.execute("ALTER TABLE feed_post ADD COLUMN later int")

        with connect() as page:
            with page.transaction():
                page.execute("SELECT 1 FROM feed_post")
                with mock.patch("website.management.commands.migrate_locked.call_command", side_effect=alter):
                    with self.assertRaisesMessage(CommandError, "waited 1 s for a table that is in use"):
                        self.migrate(lock_timeout=1)

    def test_refusals(self):
        owner = connection.settings_dict["USER"]
        for username, password, words in [
            (owner, "x", "must not be the owner"),
            ("site", None, "must be set together"),
            (None, "x", "must be set together"),
            ("postgres", "x", "has more permissions than"),
            ("pg_reserved", "x", "could not be created"),
        ]:
            with self.subTest(username), self.assertRaisesMessage(CommandError, words):
                self.migrate(username=username, password=password)

    def test_wrong_password_fails_at_once(self):
        connection.close()
        with mock.patch.dict(connection.settings_dict, {"PASSWORD": "wrong"}):
            with self.assertRaisesMessage(CommandError, "password authentication failed"):
                self.migrate()

    def test_waits_for_a_database_that_is_starting(self):
        connection.close()
        with mock.patch.dict(connection.settings_dict, {"PORT": 1}), mock.patch("time.sleep") as slept:
            with self.assertRaisesMessage(CommandError, "refused"):
                self.migrate(wait=0.05)
        self.assertTrue(slept.called)


class DoctorTest(TransactionTestCase):
    def ask(self, environment=None, **database):
        out = []
        connection.close()
        changed = {**connection.settings_dict, **database}
        with mock.patch.dict(os.environ, environment or {}), mock.patch("website.settings.DATABASES", {"default": changed}):
            code = doctor.main(out=out.append)
        text = "\n".join(out)
        self.assertNotIn(os.environ["DB_PASSWORD"], text)
        self.assertNotIn(os.environ["SECRET_KEY"], text)
        return code, text

    def assertSick(self, step, words, **database):
        code, text = self.ask(**database)
        self.assertEqual(code, 1, text)
        self.assertIn(f"{step}: FAILED", text)
        self.assertIn(words, text.split("likely cause:")[1])
        self.assertEqual(text.count("FAILED"), 1)

    def test_all_is_well(self):
        code, text = self.ask()
        self.assertEqual(code, 0, text)
        self.assertEqual(text.count(": ok"), 4, text)
        self.assertIn("TLSv1", text)

    def test_name_does_not_resolve(self):
        self.assertSick("2 network", "not the address of the instance", HOST="nowhere.invalid")

    def test_port_refuses(self):
        self.assertSick("2 network", "DB_PORT is wrong", PORT=1)

    def test_firewall_drops(self):
        with mock.patch("socket.create_connection", side_effect=TimeoutError):
            self.assertSick("2 network", "security group")

    def test_no_route(self):
        with mock.patch("socket.create_connection", side_effect=OSError("No route to host")):
            self.assertSick("2 network", "no route")

    def test_wrong_password(self):
        self.assertSick("3 log-in", "the secret and the database's password differ", PASSWORD="wrong")

    def test_wrong_database(self):
        self.assertSick("3 log-in", "DB_DATABASE or DB_USERNAME", NAME="nothing")

    def test_other_name_than_the_certificate_has(self):
        address = socket.gethostbyname(connection.settings_dict["HOST"])
        self.assertSick("3 log-in", "DB_HOST is an alias", HOST=address)

    def test_other_authorities(self):
        options = {**connection.settings_dict["OPTIONS"], "sslrootcert": "/etc/ssl/certs/ca-certificates.crt"}
        self.assertSick("3 log-in", "not signed by the bundle", OPTIONS=options)

    def test_bundle_missing(self):
        options = {**connection.settings_dict["OPTIONS"], "sslrootcert": "/nowhere.pem"}
        self.assertSick("3 log-in", "not in the image", OPTIONS=options)

    def test_without_tls(self):
        options = {**connection.settings_dict["OPTIONS"], "sslmode": "disable"}
        self.assertSick("3 log-in", "insists on TLS", OPTIONS=options)

    def test_unverified_tls_is_noted(self):
        options = {**connection.settings_dict["OPTIONS"], "sslmode": "require"}
        self.assertIn("does not prove", self.ask(OPTIONS=options)[1])

    def test_migration_missing(self):
        with mock.patch("website.health.unapplied", return_value=["feed.0002_more"]):
            self.assertSick("4 Django", "migration task")

    def test_django_alone_fails(self):
        from django.db import OperationalError

        with mock.patch("website.health.unapplied", side_effect=OperationalError("odd option")):
            self.assertSick("4 Django", "DATABASES in the settings")


class DoctorWordsTest(SimpleTestCase):
    def test_unknown_words(self):
        self.assertIn("none of the usual", doctor.cause_of("gremlins"))

    def test_help(self):
        out = []
        self.assertEqual((doctor.main(["--help"], out.append), doctor.main(["now"], out.append)), (0, 2))
        self.assertIn("four steps", out[0].lower())

    def test_answers_when_the_settings_refuse(self):
        import pathlib
        import subprocess
        import sys

        root = pathlib.Path(doctor.__file__).parent.parent
        done = subprocess.run([sys.executable, "manage.py", "doctor"], cwd=root, env={"DB_HOST": "db:5432"}, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertIn("1 environment: FAILED", done.stdout)
        self.assertIn("DB_HOST: contains a port", done.stdout)
        self.assertIn("4 Django: not tried", done.stdout)
