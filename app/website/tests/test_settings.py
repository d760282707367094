"""The site does not start with an invalid environment, and reports all mistakes at once."""

import os
import pathlib
import subprocess
import sys

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from website.env import Env

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOOD = {
    "DB_HOST": "db.example",
    "DB_NAME": "site",
    "DB_USER": "site",
    "DB_PASSWORD": "hunter2 is the password",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP",
    "ALLOWED_HOSTS": "example.org, www.example.org",
    "SITE_HTTPS": "true",
}


def load(expression="'loaded'", **changes):
    """Loads the settings in a separate process: (exit code, output)."""
    values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    code = f"from website import settings as s; print(repr(({expression})).strip(chr(39)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PATH": os.environ["PATH"], **values}, capture_output=True, text=True
    )
    return done.returncode, (done.stdout + done.stderr).strip()


class RefusalTest(SimpleTestCase):
    def assertRefused(self, *words, **changes):
        code, output = load(**changes)
        self.assertNotEqual(code, 0, output)
        for word in words:
            self.assertIn(word, output)
        for secret in (GOOD["DB_PASSWORD"], changes.get("SECRET_KEY") or GOOD["SECRET_KEY"]):
            self.assertNotIn(secret, output.split("ImproperlyConfigured")[-1])

    def test_good_environment(self):
        self.assertEqual(load(), (0, "loaded"))

    def test_everything_missing_is_one_list(self):
        code, output = load(**dict.fromkeys(GOOD))
        self.assertEqual(code, 1)
        self.assertIn("7 mistakes", output)
        for name in GOOD:
            self.assertIn(f"  - {name}: is missing", output)

    def test_each_rule(self):
        for change, words in [
            ({"SECRET_KEY": ""}, "SECRET_KEY: is missing"),
            ({"SECRET_KEY": "short-one"}, "SECRET_KEY: is too weak"),
            ({"SECRET_KEY": "ab" * 40}, "SECRET_KEY: is too weak"),
            ({"SECRET_KEY": "django-insecure-" + "0123456789" * 5}, "starts with django-insecure-"),
            ({"ALLOWED_HOSTS": "example.org,*"}, 'ALLOWED_HOSTS: must not contain "*"'),
            ({"ALLOWED_HOSTS": "https://example.org"}, "ALLOWED_HOSTS: must be host names"),
            ({"ALLOWED_HOSTS": " , "}, "ALLOWED_HOSTS: contains only commas"),
            ({"DEBUG": "true"}, "DEBUG: must not be true"),
            ({"DEBUG": "yes"}, 'DEBUG: must be "true" or "false", got \'yes\''),
            ({"SITE_HTTPS": "on"}, "SITE_HTTPS: must be"),
            ({"DB_HOST": "db.example:5432"}, "DB_HOST: contains a port"),
            ({"DB_PORT": "twelve"}, "DB_PORT: must be a whole number from 1 to 65535, got 'twelve'"),
            ({"DB_PORT": "70000"}, "DB_PORT"),
            ({"CSRF_TRUSTED_ORIGINS": "example.org"}, "CSRF_TRUSTED_ORIGINS: must be origins"),
            ({"CSRF_TRUSTED_ORIGINS": "https://example.org/"}, "CSRF_TRUSTED_ORIGINS"),
            ({"MEDIA_BUCKET": "pictures"}, "AWS_REGION: is missing"),
            ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: must be one of"),
            ({"SITE_MODE": "prod"}, "SITE_MODE: must be one of"),
        ]:
            with self.subTest(change):
                self.assertRefused(words, **change)

    def test_manage_and_gunicorn_print_the_list_without_a_traceback(self):
        for command in (["manage.py", "check"], ["-m", "gunicorn", "website.wsgi"]):
            with self.subTest(command):
                done = subprocess.run(
                    [sys.executable, *command], cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60
                )
                self.assertEqual(done.returncode, 1)
                self.assertIn("  - SECRET_KEY: is missing", done.stderr)
                self.assertNotIn("Traceback", done.stderr)


class ProductionTest(SimpleTestCase):
    def test_behind_tls(self):
        _, said = load("s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_NAME, s.DEBUG")
        self.assertEqual(said, "(True, True, 31536000, '__Host-session', False)")

    def test_plain_http(self):
        _, said = load("s.SESSION_COOKIE_SECURE, s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_NAME", SITE_HTTPS="false")
        self.assertEqual(said, "(False, 0, 'session')")

    def test_database(self):
        _, said = load("s.DATABASES['default']['NAME'], s.DATABASES['default']['USER'], s.DATABASES['default']['CONN_HEALTH_CHECKS']")
        self.assertEqual(said, "('site', 'site', True)")

    def test_libpq_decides_about_tls_and_time_limits(self):
        """A value in OPTIONS would win over PGSSLMODE, PGSSLROOTCERT and PGOPTIONS."""
        _, said = load("sorted(s.DATABASES['default']['OPTIONS'])")
        self.assertEqual(said, "['application_name', 'connect_timeout']")

    def test_pictures_go_to_the_bucket(self):
        _, said = load("s.PICTURES, s.STORAGES['default']['BACKEND'], s.STORAGES['default']['OPTIONS']['bucket_name']", MEDIA_BUCKET="b", AWS_REGION="eu-west-1")
        self.assertEqual(said, "(True, 'storages.backends.s3.S3Storage', 'b')")

    def test_no_place_for_pictures(self):
        self.assertEqual(load("s.PICTURES"), (0, "False"))

    def test_build_needs_nothing(self):
        self.assertEqual(load("s.DATABASES", **dict.fromkeys(GOOD), SITE_MODE="build"), (0, "{}"))

    def test_laptop_needs_nothing(self):
        code, said = load("s.DATABASES['default']['HOST'], s.PICTURES", **dict.fromkeys(GOOD), SITE_MODE="development")
        self.assertEqual((code, said), (0, "('localhost', True)"))

    def test_old_keys_stay_valid(self):
        self.assertEqual(load("s.SECRET_KEY_FALLBACKS", SECRET_KEY_FALLBACKS="one, two")[1], "['one', 'two']")


class EnvTest(SimpleTestCase):
    def test_a_secret_keeps_its_whitespace(self):
        self.assertEqual(Env({"P": " a "}).secret("P"), " a ")

    def test_no_problem_no_error(self):
        Env({}).check()

    def test_one_mistake_is_singular(self):
        env = Env({})
        env.text("A")
        with self.assertRaisesMessage(ImproperlyConfigured, "1 mistake in the environment"):
            env.check()


class GunicornTest(SimpleTestCase):
    def test_threads_are_the_connections_of_the_task(self):
        """Each thread holds one connection, so processes x threads must not exceed DB_CONNECTIONS."""
        for given, processes, want in [
            ({}, None, "2 8"),
            ({"DB_CONNECTIONS": "8"}, None, "2 4"),
            ({"DB_CONNECTIONS": "9"}, "4", "4 2"),
            ({"DB_CONNECTIONS": "1"}, None, "1 1"),
            ({"DB_CONNECTIONS": "3"}, "8", "3 1"),
        ]:
            values = {"PATH": os.environ["PATH"], **GOOD, **given, **({"WEB_CONCURRENCY": processes} if processes else {})}
            code = "import runpy; c = runpy.run_path('gunicorn.conf.py'); print(c['workers'], c['threads'])"
            done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=values, capture_output=True, text=True)
            self.assertEqual(done.stdout.strip(), want, (given, processes, done.stderr))
