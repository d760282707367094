"""The health checks of the load balancer and of deployments."""

from unittest import mock

from django.db import OperationalError
from django.test import TestCase

from website import health


class HealthTest(TestCase):
    def setUp(self):
        health.migrated = False
        self.addCleanup(setattr, health, "migrated", False)

    def test_alive_under_any_host_without_the_database(self):
        with self.assertNumQueries(0):
            answer = self.client.get("/healthz", headers={"host": "10.0.3.4:8080"})
        self.assertEqual((answer.status_code, answer.json()), (200, {"status": "alive"}))

    def test_other_pages_want_a_known_host(self):
        with self.assertLogs("django.security.DisallowedHost"):
            self.assertEqual(self.client.get("/latest/", headers={"host": "10.0.3.4"}).status_code, 400)

    def test_ready_looks_at_the_migrations_once(self):
        answer = self.client.get("/readyz", headers={"host": "10.0.3.4"})
        self.assertEqual((answer.status_code, answer.json()), (200, {"database": "ok", "migrations": "ok"}))
        with self.assertNumQueries(1):
            self.assertEqual(self.client.get("/readyz").status_code, 200)

    def test_not_ready_while_a_migration_is_missing(self):
        with mock.patch("website.health.unapplied", return_value=["feed.0002_more"]), self.assertLogs("website") as logs:
            answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["migrations"]), (503, "missing"))
        self.assertIn("feed.0002_more", "".join(logs.output))
        self.assertNotIn("0002_more", answer.content.decode())
        self.assertFalse(health.migrated)

    def test_not_ready_without_a_database_and_silent_about_why(self):
        with mock.patch("website.health.connection.cursor", side_effect=OperationalError("db.internal is down")):
            with self.assertLogs("website", "ERROR"):
                answer = self.client.get("/readyz")
        self.assertEqual((answer.status_code, answer.json()["database"]), (503, "unreachable"))
        self.assertNotIn("db.internal", answer.content.decode())
