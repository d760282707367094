"""For every request: an ID, a log line, the time of its SQL statements; and the health checks."""

import logging
import re
import time
import uuid

from django.conf import settings
from django.db import connection
from django.http import JsonResponse

from website import health, logs

log = logging.getLogger("website.requests")
slow = logging.getLogger("website.slow_query")

SAFE_ID = re.compile(r"[A-Za-z0-9=;:._-]{8,128}")


class Statements:
    """Counts and times a request's statements, and logs the slow ones without their values."""

    def __init__(self):
        self.count, self.seconds = 0, 0.0

    def __call__(self, execute, sql, params, many, context):
        start = time.monotonic()
        try:
            return execute(sql, params, many, context)
        finally:
            took = time.monotonic() - start
            self.count += 1
            self.seconds += took
            if took * 1000 >= settings.SLOW_QUERY_MS:
                slow.warning("slow query", extra={"fields": {"ms": round(took * 1000), "sql": sql[:2000]}})


class Requests:
    """Gives each request an ID, returns it in X-Request-ID, and logs one line when the response is ready.

    nginx sets the ID, so that its log line and Django's match; an ID from the client never gets here.
    Health checks are logged only when they fail.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        given = request.headers.get("X-Request-ID", "")
        request.id = given if SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        token = logs.request_id.set(request.id)
        start, statements = time.monotonic(), Statements()
        try:
            with connection.execute_wrapper(statements):
                response = self.get_response(request)
            response["X-Request-ID"] = request.id
            if request.path not in health.PATHS or response.status_code >= 400:
                self.log(request, response, time.monotonic() - start, statements)
            return response
        finally:
            logs.request_id.reset(token)

    def log(self, request, response, took, statements):
        # The path without the query string, because search terms are private. The user only if the view loaded it.
        user = getattr(request, "_cached_user", None)
        fields = {
            "method": request.method,
            "path": request.path,
            "status": response.status_code,
            "ms": round(took * 1000, 1),
            "queries": statements.count,
            "query_ms": round(statements.seconds * 1000, 1),
        }
        if user is not None and user.is_authenticated:
            fields["user"] = user.pk
        if trace := request.headers.get("X-Amzn-Trace-Id"):
            fields["trace"] = trace[:200]
        level = logging.ERROR if response.status_code >= 500 else logging.INFO
        log.log(level, "%s %s %s", request.method, request.path, response.status_code, extra={"fields": fields})


class Health:
    """Answers /healthz and /readyz before the host is checked: the load balancer uses the task's IP address."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.path == "/healthz":
            return JsonResponse({"status": "alive"})
        if request.path == "/readyz":
            ready, parts = health.ready()
            return JsonResponse(parts, status=200 if ready else 503)
        return self.get_response(request)
