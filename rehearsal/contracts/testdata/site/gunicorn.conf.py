"""gunicorn in a task: read-only root, nginx on the same loopback interface, graceful shutdown within 30 seconds.

GUNICORN_CMD_ARGS overrides any setting; WEB_CONCURRENCY sets the number of processes, and DB_CONNECTIONS the number of threads of
all processes together.
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

bind = "127.0.0.1:8000"
# Django mostly waits for Postgres: few processes to save memory, threads for concurrent waits.
worker_class = "gthread"
# Each thread keeps a connection to the database, so their number is the task's share of what the database takes.
connections = int(os.environ.get("DB_CONNECTIONS", "16"))
workers = min(int(os.environ.get("WEB_CONCURRENCY", "2")), connections)
threads = connections // workers
preload_app = True

# Requests have 25 seconds to finish after SIGTERM; Fargate kills the task after 30.
graceful_timeout = 25
timeout = 30
# Longer than nginx's idle timeout, so that nginx always closes connections first.
keepalive = 75

# The root file system is read-only, and a heartbeat file on disk can stall workers.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True

accesslog = None
errorlog = "-"
logconfig_dict = logs.config(os.environ.get("LOG_LEVEL") or "INFO")
proc_name = "site"
