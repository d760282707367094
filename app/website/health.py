"""Is the site ready? It is if the database responds and has all migrations of this release."""

import logging

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

log = logging.getLogger("website.health")

PATHS = ("/healthz", "/readyz")

# Reading the migrations from disk is the expensive part; once applied, they stay applied for this release.
migrated = False


def unapplied():
    """The names of this release's migrations that are not applied."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def ready():
    """(ready, {"database": ..., "migrations": ...}). The reason goes to the log, not into the response."""
    global migrated
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        missing = [] if migrated else unapplied()
    except DatabaseError:
        log.exception("the database does not answer")
        return False, {"database": "unreachable", "migrations": "unknown"}
    if missing:
        log.error("migrations are missing: %s", ", ".join(missing))
        return False, {"database": "ok", "migrations": "missing"}
    migrated = True
    return True, {"database": "ok", "migrations": "ok"}
