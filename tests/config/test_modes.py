"""The three modes: what each needs, what each makes itself. Each case is a process of its own."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live_environ import bare

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "SECRET_KEY": "a-production-key-of-fifty-characters-or-more-0123456789-abcdef",
    "FIELD_KEYS": "p1:cHJvZHVjdGlvbi1maWVsZC1rZXktMDEyMzQ1Njc4OTA=",
    "ORDER_ID_KEY": "production-order-id-key",
    "DEPLOYMENT_CODE": "prd",
    "ALLOWED_HOSTS": "desk.example.com",
}


def read_settings(
    *names: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Print these settings, one per line, from a process with only this environment."""
    code = f"import config.settings as s\nfor name in {names!r}: print(repr(getattr(s, name)))"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**bare(), "VAR_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_production_names_everything_that_is_missing(tmp_path: Path) -> None:
    answer = read_settings(folder=tmp_path)

    assert answer.returncode != 0
    assert "ImproperlyConfigured: Not set: SECRET_KEY, FIELD_KEYS, ORDER_ID_KEY, " in answer.stderr
    assert "DEPLOYMENT_CODE, ALLOWED_HOSTS." in answer.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(PRODUCTION))
def test_production_names_the_one_that_is_missing(name: str, tmp_path: Path) -> None:
    answer = read_settings(folder=tmp_path, **PRODUCTION | {name: ""})

    assert answer.returncode != 0
    assert f"ImproperlyConfigured: Not set: {name}. " in answer.stderr


def test_production_is_closed_by_default(tmp_path: Path) -> None:
    names = ("COPYDESK_ENV", "DEBUG", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "PRODUCTION")

    answer = read_settings(*names, "SECURE_HSTS_SECONDS", folder=tmp_path, **PRODUCTION)

    assert answer.stdout.split() == ["'production'", "False", "True", "True", "True", "31536000"]


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    answer = read_settings(folder=tmp_path, COPYDESK_ENV="staging")

    assert "COPYDESK_ENV is 'staging'; use one of: production, demo, test." in answer.stderr


def test_demo_processes_that_start_together_share_one_set_of_secrets(tmp_path: Path) -> None:
    names = ("SECRET_KEY", "FIELD_KEYS", "ORDER_ID_KEY", "DEPLOYMENT_CODE")

    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda _: read_settings(*names, folder=tmp_path, COPYDESK_ENV="demo"), range(4)
            )
        )

    assert [answer.stderr for answer in answers] == [""] * 4
    assert len({answer.stdout for answer in answers}) == 1
    files = sorted((tmp_path / "secrets").iterdir())
    assert [file.name for file in files] == sorted(name.lower() for name in names)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_demo_secrets_differ_from_checkout_to_checkout(tmp_path: Path) -> None:
    first = read_settings("SECRET_KEY", folder=tmp_path / "a", COPYDESK_ENV="demo")
    second = read_settings("SECRET_KEY", folder=tmp_path / "b", COPYDESK_ENV="demo")

    assert first.stdout != second.stdout


def test_without_a_service_everything_is_a_file(tmp_path: Path) -> None:
    names = ("CELERY_BROKER_URL", "CHANNEL_LAYERS", "CACHES", "DATABASES")

    broker, layer, cache, database = read_settings(
        *names, folder=tmp_path, COPYDESK_ENV="demo"
    ).stdout.splitlines()

    assert broker == "'filesystem://localhost'"
    assert "SqliteChannelLayer" in layer
    assert "FileBasedCache" in cache
    assert str(tmp_path / "copydesk.sqlite3") in database
    assert "'transaction_mode': 'IMMEDIATE'" in database


def test_redis_serves_cache_layer_and_broker(tmp_path: Path) -> None:
    names = ("CELERY_BROKER_URL", "CHANNEL_LAYERS", "CACHES")

    broker, layer, cache = read_settings(
        *names, folder=tmp_path, COPYDESK_ENV="demo", REDIS_URL="redis://cache:6379/0"
    ).stdout.splitlines()

    assert broker == "'redis://cache:6379/0'"
    assert "'channels_redis.core.RedisChannelLayer'" in layer
    assert "'capacity': 500, 'expiry': 30" in layer
    assert "RedisCache" in cache


def test_the_broker_may_be_another_server(tmp_path: Path) -> None:
    answer = read_settings(
        "CELERY_BROKER_URL",
        folder=tmp_path,
        COPYDESK_ENV="demo",
        REDIS_URL="redis://cache:6379/0",
        CELERY_BROKER_URL="amqp://broker//",
    )

    assert answer.stdout.strip() == "'amqp://broker//'"


def test_mysql_sessions_are_utc_strict_and_read_committed(tmp_path: Path) -> None:
    answer = read_settings(
        "DATABASES",
        folder=tmp_path,
        COPYDESK_ENV="demo",
        DATABASE_URL="mysql://desk:pw@db:3306/copydesk",
    )

    assert "SET time_zone='+00:00', sql_mode='STRICT_TRANS_TABLES" in answer.stdout
    assert "'isolation_level': 'read committed'" in answer.stdout
    assert "'charset': 'utf8mb4'" in answer.stdout


def test_the_order_engine_reads_whole_numbers(tmp_path: Path) -> None:
    names = ("ORDER_TTL_MARKET_S", "MARK_STALE_AFTER_S", "WEBHOOK_MAX_BYTES")

    answer = read_settings(*names, folder=tmp_path, COPYDESK_ENV="demo", ORDER_TTL_MARKET_S="4")

    assert answer.stdout.split() == ["4", "15", "65536"]


def test_the_deployment_check_has_nothing_to_say(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={**bare(), "VAR_DIR": str(tmp_path), **PRODUCTION},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout
