"""The project's settings, with those that app.overlay names replaced by the values of this deployment.

SLIPWAY_SETTINGS names the project's module, SLIPWAY_OVERLAY the settings to replace, separated by commas.
"""

import copy
import importlib
import os


def _list(name):
    return [item for item in os.environ.get(name, "").split(",") if item]


def _databases(settings):
    """The default database is the stack's. What else the project says about it stays, if it is about Postgres."""
    databases = dict(settings.get("DATABASES") or {})
    default = dict(databases.get("default") or {})
    engine = default.get("ENGINE", "")
    options = dict(default.get("OPTIONS") or {})
    if not any(word in engine for word in ("postgresql", "postgis", "postgres")):
        engine, options = "django.db.backends.postgresql", {}
    # PGSSLMODE and PGSSLROOTCERT say how to connect.
    for name in ("service", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "user", "password", "dbname"):
        options.pop(name, None)
    default.update(
        ENGINE=engine,
        HOST=os.environ["SLIPWAY_DB_HOST"],
        PORT=os.environ["SLIPWAY_DB_PORT"],
        NAME=os.environ["SLIPWAY_DB_NAME"],
        USER=os.environ["SLIPWAY_DB_USER"],
        PASSWORD=os.environ["SLIPWAY_DB_PASSWORD"],
        OPTIONS=options,
    )
    databases["default"] = default
    return databases


def _media(settings):
    """Uploads go to the bucket, with the credentials of the task role.

    boto3 signs URLs by version 2 in the oldest regions, among them us-east-1. S3 refuses those for objects under a KMS key
    (S3 user guide, "Specifying server-side encryption with AWS KMS"). Without the style, URLs have S3's global host, which redirects
    to a new bucket's region, and a signed URL does not survive that (S3 user guide, "Request redirection").
    """
    bucket, region = os.environ["SLIPWAY_BUCKET"], os.environ.get("AWS_REGION") or None
    import django

    if django.VERSION < (4, 2):
        return {
            "DEFAULT_FILE_STORAGE": "storages.backends.s3boto3.S3Boto3Storage",
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "AWS_S3_REGION_NAME": region,
            "AWS_DEFAULT_ACL": None,
            "AWS_S3_FILE_OVERWRITE": False,
            "AWS_S3_SIGNATURE_VERSION": "s3v4",
            "AWS_S3_ADDRESSING_STYLE": "virtual",
            "AWS_QUERYSTRING_AUTH": True,
            "AWS_S3_CUSTOM_DOMAIN": None,
        }
    storages = copy.deepcopy(settings.get("STORAGES") or {})
    storages["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "region_name": region,
            "default_acl": None,
            "file_overwrite": False,
            "signature_version": "s3v4",
            "addressing_style": "virtual",
            # The bucket is private: neither bare URLs nor the project's own domain and keys reach it.
            "querystring_auth": True,
            "custom_domain": None,
            "access_key": None,
            "secret_key": None,
        },
    }
    static = settings.pop("STATICFILES_STORAGE", None) or "django.contrib.staticfiles.storage.StaticFilesStorage"
    storages.setdefault("staticfiles", {"BACKEND": static})
    settings.pop("DEFAULT_FILE_STORAGE", None)  # Django 4.2 and 5.0 refuse the old names beside STORAGES
    return {"STORAGES": storages}


def _load():
    module = importlib.import_module(os.environ["SLIPWAY_SETTINGS"])
    settings = {name: getattr(module, name) for name in dir(module) if name.isupper()}
    values = {
        "DATABASES": lambda: {"DATABASES": _databases(settings)},
        "SECRET_KEY": lambda: {"SECRET_KEY": os.environ["SLIPWAY_SECRET_KEY"]},
        "DEBUG": lambda: {"DEBUG": False},
        "ALLOWED_HOSTS": lambda: {"ALLOWED_HOSTS": _list("SLIPWAY_HOSTS")},
        "CSRF_TRUSTED_ORIGINS": lambda: {"CSRF_TRUSTED_ORIGINS": _list("SLIPWAY_ORIGINS")},
        "STATIC_ROOT": lambda: {"STATIC_ROOT": os.environ.get("SLIPWAY_STATIC_ROOT", "/opt/slipway/static")},
        "SECURE_PROXY_SSL_HEADER": lambda: {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
        "MEDIA": lambda: _media(settings),
    }
    for name in _list("SLIPWAY_OVERLAY"):
        if name not in values:
            raise RuntimeError(f"SLIPWAY_OVERLAY: Slipway does not replace the setting {name}")
        settings.update(values[name]())
    return settings


globals().update(_load())
