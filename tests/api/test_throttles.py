"""How often programs may call."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.redis import RedisCache

from accounts.api import throttling
from tests.api.calls import Programs, told

pytestmark = pytest.mark.django_db


MINUTES = itertools.count(30_000_000, 2)  # one of its own for each test: counters are not shared


@pytest.fixture(autouse=True)
def minute(monkeypatch: pytest.MonkeyPatch) -> float:
    """Ten seconds after the beginning of a minute, for ever."""
    start = next(MINUTES) * 60.0
    monkeypatch.setattr("accounts.api.views.time.time", lambda: start + 10)
    return start


def test_every_answer_tells_what_is_left(programs: Programs, settings: Any) -> None:
    settings.API_RATE_PER_TOKEN = 3

    left = [programs.reader.get("customers")["X-RateLimit-Remaining"] for _ in range(3)]
    refused = programs.reader.get("customers")

    assert left == ["2", "1", "0"]
    assert told(refused) == (429, "throttled", [])
    assert refused["X-RateLimit-Limit"] == "3"
    assert refused["X-RateLimit-Remaining"] == "0"
    assert refused["X-RateLimit-Reset"] == refused["Retry-After"] == "50"
    assert programs.integrator.get("customers").status_code == 200


def test_a_new_minute_begins_anew(
    programs: Programs, settings: Any, monkeypatch: pytest.MonkeyPatch, minute: float
) -> None:
    settings.API_RATE_PER_TOKEN = 1
    programs.reader.get("customers")
    assert programs.reader.get("customers").status_code == 429

    monkeypatch.setattr("accounts.api.views.time.time", lambda: minute + 60)

    assert programs.reader.get("customers").status_code == 200


def test_a_desk_has_a_bound_of_its_own(programs: Programs, settings: Any) -> None:
    settings.API_RATE_PER_TENANT = 2

    first = programs.reader.get("customers")
    programs.integrator.get("customers")
    refused = programs.customer.get("customers")

    assert (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"]) == ("2", "1")
    assert refused.status_code == 429
    assert refused["X-RateLimit-Limit"] == "2"


def test_refusals_count_too(programs: Programs, settings: Any) -> None:
    settings.API_RATE_PER_TOKEN = 2

    programs.reader.post("signals")
    programs.reader.get("customers/nobody")

    assert programs.reader.get("customers").status_code == 429


def test_a_program_beyond_its_limit_does_not_shut_out_its_desk(
    programs: Programs, settings: Any
) -> None:
    settings.API_RATE_PER_TOKEN, settings.API_RATE_PER_TENANT = 2, 5

    statuses = [programs.customer.get("customers").status_code for _ in range(8)]

    assert statuses == [200, 200, *[429] * 6]
    assert programs.integrator.get("customers").status_code == 200


def test_a_cache_that_is_away_stops_no_program(
    programs: Programs, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.API_RATE_PER_TOKEN = 3
    monkeypatch.setattr(throttling, "cache", RedisCache("redis://127.0.0.1:1", {}))

    response = programs.reader.get("customers")

    assert (response.status_code, response["X-RateLimit-Remaining"]) == (200, "3")


def test_calls_without_a_token_are_told_no_limits(programs: Programs) -> None:
    response = programs.reader.call("get", "/api/nothing")

    assert "X-RateLimit-Limit" not in response


def test_counting_in_files_loses_nothing_between_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of files reads, adds and writes; only a lock around it makes it count."""
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(throttling, "cache", FileBasedCache(str(tmp_path), {}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: throttling._hit("key"), range(60)))

    assert throttling._hit("key") == 61
