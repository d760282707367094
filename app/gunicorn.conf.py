"""gunicorn behind nginx, with graceful shutdown within 30 seconds.

GUNICORN_CMD_ARGS overrides any setting. PORT sets the port, WEB_CONCURRENCY the number of processes, and DB_CONNECTIONS the number of
threads of all processes together.
"""

import os
import sys

from django.core.exceptions import ImproperlyConfigured

from website import logs

try:
    import website.settings  # noqa: F401
except ImproperlyConfigured as refusal:
    # Print only the list of mistakes; each worker would add a traceback.
    sys.exit(str(refusal))

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
# Django mostly waits for Postgres: few processes to save memory, threads for concurrent waits.
worker_class = "gthread"
# Each thread keeps a connection to the database, so their number is the container's share of what the database takes.
connections = int(os.environ.get("DB_CONNECTIONS", "16"))
workers = min(int(os.environ.get("WEB_CONCURRENCY", "2")), connections)
threads = connections // workers
preload_app = True

# Requests have 25 seconds to finish after SIGTERM; Fargate kills the task after 30.
graceful_timeout = 25
timeout = 30
# Longer than nginx keeps an idle connection, so that nginx always closes it first.
keepalive = 75

# A heartbeat file on disk can stall workers, and the root file system may be read-only.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True

accesslog = None
errorlog = "-"
logconfig_dict = logs.config(os.environ.get("LOG_LEVEL") or "INFO")
proc_name = "site"
