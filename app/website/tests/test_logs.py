"""The log of a request."""

import json
import logging
import sys
from unittest import mock

from django.db import connection
from django.test import Client, RequestFactory, SimpleTestCase, TestCase, override_settings

from feed.models import User
from website import logs
from website.middleware import Requests


class LinesTest(SimpleTestCase):
    def line(self, **extra):
        record = logging.LogRecord("site", logging.INFO, "f", 1, "hello %s", ("wörld\nx",), extra.pop("exc_info", None))
        record.__dict__.update(extra)
        text = logs.Json().format(record)
        self.assertNotIn("\n", text)
        return json.loads(text)

    def test_one_line_of_json(self):
        line = self.line(fields={"ms": 3})
        self.assertEqual((line["message"], line["level"], line["ms"]), ("hello wörld\nx", "INFO", 3))
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$")
        self.assertNotIn("request_id", line)

    def test_traceback_is_one_string(self):
        try:
            raise ValueError("oh")
        except ValueError:
            self.assertIn("ValueError: oh", self.line(exc_info=sys.exc_info())["traceback"])

    def test_request_id_while_it_runs(self):
        token = logs.request_id.set("abcdefgh")
        self.assertEqual(self.line()["request_id"], "abcdefgh")
        logs.request_id.reset(token)


class LevelsTest(SimpleTestCase):
    def test_requests_to_aws_are_never_logged(self):
        for level, least in (("DEBUG", "WARNING"), ("INFO", "WARNING"), ("ERROR", "ERROR")):
            made = logs.config(level)
            self.assertEqual(made["root"]["level"], level)
            for name in ("botocore", "urllib3", "s3transfer"):
                self.assertEqual(made["loggers"][name]["level"], least, (level, name))


class RequestsTest(TestCase):
    def fields(self, logged, number=0):
        return logged.records[number].fields

    def test_line_of_a_page(self):
        person = User.objects.create(username="ada")
        self.client.force_login(person)
        with self.assertLogs("website.requests") as logged:
            answer = self.client.get("/search/?q=private", headers={"x-request-id": "given-by-nginx", "x-amzn-trace-id": "Root=1-2"})
        fields = self.fields(logged)
        self.assertEqual((fields["method"], fields["path"], fields["status"], fields["user"]), ("GET", "/search/", 200, person.pk))
        self.assertEqual((answer["X-Request-ID"], fields["trace"]), ("given-by-nginx", "Root=1-2"))
        self.assertGreaterEqual(fields["queries"], 3)
        self.assertNotIn("private", str(logged.output))

    def test_odd_id_is_replaced(self):
        answer = self.client.get("/latest/", headers={"x-request-id": 'x","level":"FORGED'})
        self.assertRegex(answer["X-Request-ID"], "^[0-9a-f]{32}$")

    def test_health_checks_are_quiet(self):
        with self.assertNoLogs("website.requests"):
            self.client.get("/healthz")

    @override_settings(SLOW_QUERY_MS=20)
    def test_slow_query_without_its_values(self):
        def view(request):
            from django.http import HttpResponse

            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.03), %s", ["secret value"])
            return HttpResponse()

        with self.assertLogs("website") as logged:
            Requests(view)(RequestFactory().get("/"))
        slow = [record.fields for record in logged.records if record.name == "website.slow_query"]
        self.assertEqual(len(slow), 1)
        self.assertIn("pg_sleep", slow[0]["sql"])
        self.assertGreaterEqual(slow[0]["ms"], 20)
        self.assertNotIn("secret value", str(slow))

    def test_failure_is_logged_with_its_traceback_and_id(self):
        client = Client(raise_request_exception=False)
        broken = mock.patch("feed.views.render", side_effect=RuntimeError("boom"))
        with broken, self.assertLogs("django.request") as errors, self.assertLogs("website.requests") as requests:
            answer = client.get("/latest/")
        self.assertContains(answer, "It was our fault", status_code=500)
        self.assertIn("boom", "".join(errors.output))
        self.assertEqual([record.fields["status"] for record in requests.records], [500])
        self.assertEqual(logs.request_id.get(), "")
