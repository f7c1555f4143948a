"""A simulator process for the whole folder, and a bench on it for every test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Installation
from tests.trading.copying.desk import BTC, PRICE
from tests.trading.execution.bench import Bench, forget_everything, hurry, make_bench
from trading.exchange.runner import stop_exchange_loop
from trading.execution import starting

OFF = {
    "mode": "off",
    "dup_clordid": "live_only",
    "read_lag_ms": 0,
    "clock_offset_ms": 0,
}


@pytest.fixture(scope="package")
def simulator() -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "trading.simulator", "--no-market", "--limits", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


@pytest.fixture
def bench(
    db: None, simulator: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    yield from _bench(simulator, settings, monkeypatch)


@pytest.fixture
def open_bench(
    transactional_db: None,
    simulator: dict[str, Any],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Bench]:
    """For tests with several threads: what is written is really committed."""
    yield from _bench(simulator, settings, monkeypatch)


def _bench(
    simulator: dict[str, Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    Installation.objects.get_or_create(pk=1)
    sockets = simulator["ws"]["public"].removesuffix("/public")
    settings.MARKETS = {"simulator": {"rest": simulator["rest"], "ws": sockets}}
    hurry(monkeypatch, settings)
    forget_everything()
    starting.assume_started(["simulator"])
    bench = make_bench(simulator["control"])
    bench.ask("POST", "/prices", **{BTC: str(PRICE), "BTC-USDT": str(PRICE)})
    yield bench
    bench.ask("DELETE", "/faults")
    bench.ask("POST", "/maintenance", announcements=[])
    bench.ask("POST", "/limits", **OFF)
    stop_exchange_loop()
