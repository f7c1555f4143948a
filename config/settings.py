"""Every setting in one place, read from the environment and safe by default.

.env.example describes each name. Nothing here asks for a service: without DATABASE_URL and
REDIS_URL the product runs on files below VAR_DIR.
"""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from config import csp, environment
from config.api.options import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401 - settings too
from config.backoffice.theme import UNFOLD  # noqa: F401 - a setting, defined where the admin is
from config.logging import logging_config
from config.schedule import BEAT_SCHEDULE, EXECUTOR_TASKS

# Mode -----------------------------------------------------------------------------------------

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
COPYDESK_ENV = environment.mode(os.environ)
PRODUCTION = COPYDESK_ENV == "production"
DEBUG = env.bool("DEBUG", default=False)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var" / COPYDESK_ENV)))

# Secrets --------------------------------------------------------------------------------------

_secrets = environment.secret_values(COPYDESK_ENV, environ=os.environ, folder=VAR_DIR / "secrets")
SECRET_KEY = _secrets["SECRET_KEY"]
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
FIELD_KEYS = _secrets["FIELD_KEYS"]
ORDER_ID_KEY = _secrets["ORDER_ID_KEY"]
DEPLOYMENT_CODE = _secrets["DEPLOYMENT_CODE"]
ALLOWED_HOSTS = [host.strip() for host in _secrets["ALLOWED_HOSTS"].split(",") if host.strip()]
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Applications ---------------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",
    "config",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "config.backoffice.apps.BackofficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "axes",
    "accounts",
    "customers",
    "signals",
    "strategies",
    "trading",
    "notifications",
]

MIDDLEWARE = [
    "config.requests.RequestIdMiddleware",
    "config.api.middleware.ApiBorderMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.csp.ContentSecurityMiddleware",
    "config.health.views.ProbeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.tenancy.TenantScopeMiddleware",
    "accounts.language.LanguageAndZoneMiddleware",
    "accounts.audit.AuditMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # It answers instead of a door that refused a locked-out name.
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_context_processors = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "csp.context_processors.nonce",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": _context_processors},
    },
]

# Database -------------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(
        env.str("DATABASE_URL", default="") or f"sqlite:///{VAR_DIR / 'copydesk.sqlite3'}"
    )
}
_database = DATABASES["default"]
if "mysql" in _database["ENGINE"]:
    # Leases compare the server's clock with stored UTC times: a session in another zone would
    # see every lease as expired. config.checks verifies what the session really has.
    _database["OPTIONS"] = {
        "charset": "utf8mb4",
        "isolation_level": "read committed",
        "init_command": "SET time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,"
        "NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
        **_database.get("OPTIONS", {}),
    }
    _database["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"}
    _database["CONN_MAX_AGE"] = env.int("DB_CONN_MAX_AGE", default=0)
    _database["CONN_HEALTH_CHECKS"] = True
else:
    _database["ENGINE"] = "config.embedded_sqlite3"
    # IMMEDIATE is what matters: without it half of all concurrent writers fail at once.
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
        # A signal to a thousand accounts writes ten megabytes: they stay in memory until the
        # commit.
        "PRAGMA cache_size=-32768;PRAGMA temp_store=MEMORY;",
    }
    if _database["NAME"] != ":memory:":
        Path(_database["NAME"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)

# Cache, sessions and live updates -------------------------------------------------------------

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    _cache: dict[str, Any] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "copydesk",
    }
    # The pub/sub layer buffers without bound; this one drops at its capacity.
    _layer = "channels_redis.core.RedisChannelLayer"
    # redis-py takes 5 s of silence for an outage, which is just how long channels waits at a
    # time, and allows 100 connections, fewer than the pages that may come back at once.
    _redis = {"address": REDIS_URL, "socket_timeout": 20, "max_connections": 4000}
    _where: dict[str, Any] = {"hosts": [_redis]}
else:
    # Files: every process must see a session end.
    _cache = {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": VAR_DIR / "cache",
        "OPTIONS": {"MAX_ENTRIES": 2000},
    }
    _layer = "notifications.live.embedded_layer.SqliteChannelLayer"
    _where = {"path": str(VAR_DIR / "live.sqlite3")}
CACHES = {"default": _cache}
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": _layer, "CONFIG": {**_where, "capacity": 500, "expiry": 30}}
}
# Whether this process tells open pages of what it commits; tests say so where they mean it.
LIVE_RELAY = env.bool("LIVE_RELAY", default=COPYDESK_ENV != "test")
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
STAFF_SESSION_IDLE_S = env.int("STAFF_SESSION_IDLE_S", default=15 * 60)
STAFF_SESSION_MAX_S = env.int("STAFF_SESSION_MAX_S", default=8 * 3600)
CUSTOMER_SESSION_IDLE_S = env.int("CUSTOMER_SESSION_IDLE_S", default=60 * 60)
CUSTOMER_SESSION_MAX_S = env.int("CUSTOMER_SESSION_MAX_S", default=12 * 3600)
SESSION_COOKIE_AGE = max(STAFF_SESSION_MAX_S, CUSTOMER_SESSION_MAX_S)

# Background work ------------------------------------------------------------------------------

CELERY_BROKER_URL = (
    env.str("CELERY_BROKER_URL", default="") or REDIS_URL or "filesystem://localhost"
)
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("filesystem"):
    _queue, _control = VAR_DIR / "broker" / "queue", VAR_DIR / "broker" / "control"
    for _folder in (_queue, _control):
        _folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue),
        "data_folder_out": str(_queue),
        "control_folder": str(_control),
        "store_processed": False,
        "polling_interval": 0.02,
    }
elif CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 25,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
# Only these may decrypt exchange keys, so only the executor's processes need FIELD_KEYS for them.
CELERY_TASK_ROUTES = {f"trading.tasks.{name}": {"queue": "executor"} for name in EXECUTOR_TASKS}
# The row is the truth and a sweep finds what a dead worker left: nothing is redelivered.
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 120
CELERY_TASK_TIME_LIMIT = 150
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 25
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = BEAT_SCHEDULE

# People and browsers --------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
STAFF_TWO_FACTOR = env.str("STAFF_TWO_FACTOR", default="required" if PRODUCTION else "optional")
if STAFF_TWO_FACTOR not in {"required", "optional"}:
    raise ImproperlyConfigured("STAFF_TWO_FACTOR is required or optional.")
# Counted in the database: every process sees every failure, with and without Redis.
AXES_HANDLER = "accounts.lockout.Handler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_FAILURE_LIMIT = env.int("LOCKOUT_FAILURES", default=5)
LOCKOUT_FAILURES_PER_ADDRESS = env.int("LOCKOUT_FAILURES_PER_ADDRESS", default=30)
AXES_COOLOFF_TIME = timedelta(seconds=env.int("LOCKOUT_SECONDS", default=15 * 60))
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "accounts.addresses.client_network"
AXES_LOCKOUT_CALLABLE = "accounts.lockout.answer"
AXES_DISABLE_ACCESS_LOG, AXES_ENABLE_ADMIN, AXES_VERBOSE = True, False, False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code"]
STEP_UP_SECONDS = env.int("STEP_UP_SECONDS", default=300)

SECURE_COOKIES = env.bool("SECURE_COOKIES", default=PRODUCTION)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_COOKIES
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
if SECURE_COOKIES:
    SESSION_COOKIE_NAME = "__Host-copydesk-session"
    CSRF_COOKIE_NAME = "__Host-copydesk-csrf"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz|health|metrics)$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if PRODUCTION else 0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=PRODUCTION)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=PRODUCTION)
# How many proxies of ours stand in front; with none, forwarded headers are anybody's word.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
if TRUSTED_PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {"DIRECTIVES": csp.DIRECTIVES}

# Language, time and files ---------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LANGUAGE_COOKIE_NAME = "__Host-copydesk-language" if SECURE_COOKIES else "copydesk-language"
LANGUAGE_COOKIE_AGE = 365 * 86_400
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = SECURE_COOKIES
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles")) if PRODUCTION else None
_static = "CompressedManifest" if PRODUCTION else "Compressed"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": f"whitenoise.storage.{_static}StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = not PRODUCTION

# Markets --------------------------------------------------------------------------------------

# How many connections to each exchange an executor opens ahead of the first order and keeps.
EXCHANGE_CONNECTIONS = env.int("EXCHANGE_CONNECTIONS", default=100)
SIMULATOR_REST_URL = env.str("SIMULATOR_REST_URL", default="http://127.0.0.1:9100")
SIMULATOR_WS_URL = env.str("SIMULATOR_WS_URL", default="ws://127.0.0.1:9100/ws/v5")
# Without an address the platform opens no simulated accounts of its own.
SIMULATOR_CONTROL_URL = env.str("SIMULATOR_CONTROL_URL", default="").rstrip("/")
SIMULATOR_CONTROL_TOKEN = env.str("SIMULATOR_CONTROL_TOKEN", default="")
DEFAULT_MARKET = env.str("DEFAULT_MARKET", default="live-global" if PRODUCTION else "simulator")


def _okx(name: str, rest: str, ws: str) -> dict[str, str]:
    return {
        "rest": env.str(f"OKX_{name}_REST_URL", default=rest),
        "ws": env.str(f"OKX_{name}_WS_URL", default=ws),
    }


MARKETS = {
    "simulator": {"rest": SIMULATOR_REST_URL, "ws": SIMULATOR_WS_URL},
    "demo": _okx("DEMO", "https://openapi.okx.com", "wss://wspap.okx.com:8443/ws/v5"),
    "live-global": _okx("GLOBAL", "https://openapi.okx.com", "wss://ws.okx.com:8443/ws/v5"),
    "live-eea": _okx("EEA", "https://eea.okx.com", "wss://wseea.okx.com:8443/ws/v5"),
    "live-us": _okx("US", "https://us.okx.com", "wss://wsus.okx.com:8443/ws/v5"),
}

# Order engine ---------------------------------------------------------------------------------

ORDER_TTL_MARKET_S = env.int("ORDER_TTL_MARKET_S", default=3)
ORDER_TTL_LIMIT_S = env.int("ORDER_TTL_LIMIT_S", default=10)
# A position that is too small is brought up without asking only while the leader's is young, and
# at no worse than its average entry by so much.
REPAIR_WINDOW_S = env.int("REPAIR_WINDOW_S", default=300)
REPAIR_MAX_SLIPPAGE = Decimal(env.str("REPAIR_MAX_SLIPPAGE", default="0.005"))
LEASE_MARGIN_S = env.int("LEASE_MARGIN_S", default=5)
SKEW_S = env.int("SKEW_S", default=1)
GRACE_S = env.int("GRACE_S", default=3)
# OKX repeats a mark price that did not change every 10 s only: less would block quiet instruments.
MARK_STALE_AFTER_S = env.int("MARK_STALE_AFTER_S", default=15)
# A leader that is not heard: when nothing more is left waiting, and when what waits is canceled.
SOURCE_TIMEOUT_S = env.int("SOURCE_TIMEOUT_S", default=60)
SOURCE_LOST_CANCEL_S = env.int("SOURCE_LOST_CANCEL_S", default=300)
FLATTEN_READS_APART_S = env.int("FLATTEN_READS_APART_S", default=1)
FLATTEN_WATCH_S = env.int("FLATTEN_WATCH_S", default=10)

# The most that anybody may set, and what holds without a limit of his own; None bounds nothing.


def _limit(name: str, default: str = "") -> tuple[str, Decimal | None]:
    given = env.str(f"LIMIT_{name}", default=default)
    return name.lower(), Decimal(given) if given else None


LIMITS = dict(
    (
        _limit("ORDER_NOTIONAL"), _limit("DAILY_NOTIONAL"), _limit("POSITION_NOTIONAL"),
        _limit("DESK_NOTIONAL"), _limit("OPEN_POSITIONS"), _limit("LEVERAGE"),
        _limit("ORDER_QUANTITY"), _limit("PRICE_COLLAR", "0.02"), _limit("STOP_COLLAR", "0.05"),
        _limit("SPREAD", "0.01"), _limit("LEADER_MULTIPLE", "2"), _limit("LEGS", "4"),
        _limit("ACCOUNT_SENDS", "10"), _limit("SYSTEM_SENDS", "5000"),
    )
)  # fmt: skip

# When breakers open: refusals of an account in a row and a minute, its unresolved orders, and for a
# market the sends a minute that are enough to judge by, and accounts with an order twice.
BREAKER_REJECTS_IN_A_ROW = env.int("BREAKER_REJECTS_IN_A_ROW", default=5)
BREAKER_REJECTS_A_MINUTE = env.int("BREAKER_REJECTS_A_MINUTE", default=10)
BREAKER_UNRESOLVED = env.int("BREAKER_UNRESOLVED", default=3)
BREAKER_FEWEST_SENDS = env.int("BREAKER_FEWEST_SENDS", default=20)
BREAKER_DOUBLES = env.int("BREAKER_DOUBLES", default=3)
# Announced maintenance stops openings so long before it begins.
MAINTENANCE_LEAD_S = env.int("MAINTENANCE_LEAD_S", default=120)

# The margin ratio (at 1 OKX liquidates) from which people are warned, are told that it is critical,
# and nothing is opened on the account. A desk may set its own, and distances to liquidation too.
MARGIN_RATIOS = {
    level: Decimal(env.str(f"MARGIN_{level.upper()}_RATIO", default=default))
    for level, default in (("warn", "2"), ("critical", "1.3"), ("block", "1.5"))
}

# Webhooks -------------------------------------------------------------------------------------

WEBHOOK_MAX_BYTES = env.int("WEBHOOK_MAX_BYTES", default=65536)
WEBHOOK_HEADER_WINDOW_S = env.int("WEBHOOK_HEADER_WINDOW_S", default=300)
WEBHOOK_NONCE_KEEP_S = env.int("WEBHOOK_NONCE_KEEP_S", default=600)
WEBHOOK_RATE_PER_SECOND = env.int("WEBHOOK_RATE_PER_SECOND", default=20)

# API: calls per minute ------------------------------------------------------------------------

API_RATE_PER_TOKEN = env.int("API_RATE_PER_TOKEN", default=300)
API_RATE_PER_TENANT = env.int("API_RATE_PER_TENANT", default=1200)

# Messages to people ---------------------------------------------------------------------------

# Where this installation is reached, for links in messages: https://desk.example.com
PUBLIC_URL = env.str("PUBLIC_URL", default="").rstrip("/")
_email = env.email_url_config(env.str("EMAIL_URL", default="") or "smtp://")
EMAIL_HOST = _email["EMAIL_HOST"] or ""
EMAIL_PORT = _email["EMAIL_PORT"] or 587
EMAIL_HOST_USER = _email["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = _email.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = _email.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 3
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="copydesk@localhost")
# Where tests and the demo catch what would leave: host=http://127.0.0.1:port,…
OUTGOING_CAPTURE = env.dict("OUTGOING_CAPTURE", default={})
OUTGOING_CAPTURE_CA = env.str("OUTGOING_CAPTURE_CA", default="")

# Monitoring -----------------------------------------------------------------------------------

METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# Logs -----------------------------------------------------------------------------------------

LOGGING = logging_config(
    level=env.str("LOG_LEVEL", default="INFO"),
    log_format=env.str("LOG_FORMAT", default="json" if PRODUCTION else "text"),
)
