"""How gunicorn runs in a task: read-only root, nginx on the same loop-back, an orderly end within 30 seconds.

GUNICORN_CMD_ARGS overrides any of it; WEB_CONCURRENCY sets the number of processes.
"""

import os
import sys

from django.core.exceptions import ImproperlyConfigured

from website import logs

try:
    import website.settings  # noqa: F401
except ImproperlyConfigured as refusal:
    # The list of mistakes alone; from inside a worker it would come with a traceback for each.
    sys.exit(str(refusal))

bind = "127.0.0.1:8000"
# Django waits mostly for Postgres: few processes for the memory's sake, threads for the waiting.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 8
preload_app = True

# A request gets 25 seconds to end after SIGTERM; Fargate kills after 30.
graceful_timeout = 25
timeout = 30
# Longer than nginx keeps its idle connections, so that nginx and never gunicorn closes one.
keepalive = 75

# The root file system is read-only; a heartbeat file on disk would stall workers besides.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True

accesslog = None
errorlog = "-"
logconfig_dict = logs.config(os.environ.get("LOG_LEVEL") or "INFO")
proc_name = "site"
