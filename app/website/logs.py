"""Logs: one JSON object per line on stdout, with the ID of its request."""

import contextvars
import datetime
import json
import logging

# The ID in the log lines of the current request. Empty outside of a request.
request_id = contextvars.ContextVar("request_id", default="")


class Json(logging.Formatter):
    """time, level, logger, message, request_id; the caller's extra={"fields": {...}}; the traceback as one string."""

    def format(self, record):
        line = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def config(level):
    """The dictConfig of the site's and gunicorn's logging."""
    # Django also logs every 4xx; the request's own line already contains it.
    quiet = {"handlers": ["stdout"], "level": "ERROR", "propagate": False}
    # At DEBUG these log what they send to AWS, including headers with the task's credentials.
    discreet = {"level": "WARNING" if level in ("DEBUG", "INFO") else level}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "website.logs.Json"}},
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "django": {"handlers": ["stdout"], "level": level, "propagate": False},
            "django.request": quiet,
            "django.db.backends": {"level": "INFO"},
            "gunicorn.error": {"handlers": ["stdout"], "level": level, "propagate": False},
            **{name: discreet for name in ("boto3", "botocore", "s3transfer", "urllib3", "PIL")},
        },
    }
