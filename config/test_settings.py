"""The settings of the test suite: the product's own, on throwaway files and with cheap hashing.

TEST_DATABASE_URL points the database tests at any real MySQL 8 or MariaDB.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from urllib.parse import urlsplit

os.environ["COPYDESK_ENV"] = "test"
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
if "VAR_DIR" not in os.environ:
    # A folder of its own, so that several runs may share one checkout; children inherit it.
    os.environ["VAR_DIR"] = tempfile.mkdtemp(prefix="copydesk-test-")
    atexit.register(shutil.rmtree, os.environ["VAR_DIR"], ignore_errors=True)
if (worker := os.environ.get("PYTEST_XDIST_WORKER", "")) and os.environ.get("REDIS_URL"):
    # Workers share one Redis, and a test may empty the cache: each has a database of its own.
    server = urlsplit(os.environ["REDIS_URL"])
    os.environ["REDIS_URL"] = server._replace(path=f"/{int(worker[2:]) % 15 + 1}").geturl()

from config.settings import *  # noqa: F403
from config.settings import DATABASES, REDIS_URL, STORAGES, VAR_DIR

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
# Each client of a test would list all static files at its first request: a tenth of a second.
WHITENOISE_AUTOREFRESH = True
CELERY_BROKER_URL = "memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, not memory: tests with several threads need the locking of the real thing.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
if not REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
