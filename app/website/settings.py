"""Django's settings, only from the environment. All mistakes in it are reported at once, before anything starts.

SITE_MODE defaults to production. "development" has defaults for a laptop; "build" is for collectstatic during an image
build and has neither a database nor secrets.
"""

import os
import pathlib
import secrets

from website import logs
from website.env import Env

BASE_DIR = pathlib.Path(__file__).resolve().parent.parent

env = Env(os.environ)
mode = env.choice("SITE_MODE", ["production", "development", "build"], "production")
development = mode == "development"

DEBUG = env.flag("DEBUG", False)
if DEBUG and not development:
    env.wrong("DEBUG", "must not be true: error pages would show settings and code to everyone")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "website",
    "feed",
]
MIDDLEWARE = [
    "website.middleware.Requests",
    "website.middleware.Health",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "website.urls"
WSGI_APPLICATION = "website.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "feed.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "log-in"
LOGIN_REDIRECT_URL = "timeline"
LOGOUT_REDIRECT_URL = "latest"
LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False

# Static file names contain a hash of the content, so browsers may cache them forever.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    },
}

if mode == "build":
    SECRET_KEY = secrets.token_urlsafe(50)
    DATABASES = {}
    PICTURES = False
else:
    # The load balancer terminates TLS. Only it can reach nginx, and it overwrites this header.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    https = env.flag("SITE_HTTPS", False if development else None)
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = https
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = ("__Host-session", "__Host-csrf") if https else ("session", "csrf")
    SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600 if https else 0
    SECURE_HSTS_INCLUDE_SUBDOMAINS = False  # other sites under the domain are not this site's decision
    SECURE_SSL_REDIRECT = False  # the load balancer redirects, and its health check uses plain HTTP
    SECURE_REFERRER_POLICY = "same-origin"
    X_FRAME_OPTIONS = "DENY"

    SECRET_KEY = env.secret("SECRET_KEY", secrets.token_urlsafe(50) if development else None)
    if not development:
        if SECRET_KEY.startswith("django-insecure-"):
            env.wrong("SECRET_KEY", "starts with django-insecure-: generate a new one")
        elif SECRET_KEY and (len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5):
            env.wrong("SECRET_KEY", "is too weak: it needs at least 50 characters, 5 of them different")
    # To change the key without logging all users out, put the old one here until their sessions end.
    SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", "")

    ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if development else None)
    for host in ALLOWED_HOSTS:
        if host == "*" and not development:
            env.wrong("ALLOWED_HOSTS", 'must not contain "*": list the hosts of the site')
        elif "://" in host or "/" in host:
            env.wrong("ALLOWED_HOSTS", f"must be host names without scheme or path, got {host!r}")
    CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", "")
    for origin in CSRF_TRUSTED_ORIGINS:
        if not origin.startswith(("https://", "http://")) or origin.count("/") > 2:
            env.wrong("CSRF_TRUSTED_ORIGINS", f"must be origins such as https://example.org, got {origin!r}")

    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": env.text("DB_HOST", "localhost" if development else None),
            "PORT": env.number("DB_PORT", 1, 65535, 5432),
            "NAME": env.text("DB_NAME", "site" if development else None),
            "USER": env.text("DB_USER", "site" if development else None),
            "PASSWORD": env.secret("DB_PASSWORD", "site" if development else None),
            # Each thread keeps its connection; gunicorn.conf.py runs DB_CONNECTIONS threads, so no pool is needed to stay below.
            "CONN_MAX_AGE": 300,
            "CONN_HEALTH_CHECKS": True,
            # TLS and time limits come from PGSSLMODE, PGSSLROOTCERT and PGOPTIONS, which libpq reads.
            "OPTIONS": {"connect_timeout": 5, "application_name": "site"},
        }
    }
    if DATABASES["default"]["HOST"].count(":") == 1:
        env.wrong("DB_HOST", "contains a port: put the port into DB_PORT")

    # Pictures are stored in the bucket. Without one, only a laptop stores them, on disk.
    media_bucket = env.text("MEDIA_BUCKET", "")
    MEDIA_ROOT = env.text("MEDIA_ROOT", str(BASE_DIR / "media") if development else "")
    PICTURES = bool(media_bucket or MEDIA_ROOT)
    if media_bucket:
        STORAGES["default"] = {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": media_bucket,
                "region_name": env.text("AWS_REGION"),
                "default_acl": None,
                "file_overwrite": False,
                "max_memory_size": 8 * 1024 * 1024,
            },
        }

    LOGGING = logs.config(env.choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], "INFO"))
    # Statements slower than this are logged, without their values.
    SLOW_QUERY_MS = env.number("SLOW_QUERY_MS", 1, 60000, 200)

# One picture and its form; nginx already rejects more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

env.check()
