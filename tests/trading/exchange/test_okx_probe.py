"""The probe finds out how an exchange behaves, tells it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.trading.exchange.venue import BTC, PRICE, Simulator, order, soon
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import Credentials, InstrumentType
from trading.management.commands.okx_probe import KEY_NAMES

pytestmark = pytest.mark.simulator


@pytest.fixture
def demo(
    simulator: Simulator, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Credentials]:
    credentials = asyncio.run(_prepared(simulator))
    sockets = simulator.endpoint.ws_public.removesuffix("/public")
    settings.MARKETS = {"simulator": {"rest": simulator.endpoint.rest, "ws": sockets}}
    for name, value in zip(
        KEY_NAMES, (credentials.api_key, credentials.secret, credentials.passphrase), strict=True
    ):
        monkeypatch.setenv(name, value)
    yield credentials
    asyncio.run(simulator.tell("/limits", dup_clordid="live_only", read_lag_ms=0))


async def _prepared(simulator: Simulator) -> Credentials:
    await simulator.tell("/prices", **{BTC: str(PRICE)})
    return await simulator.account()


def probed(**options: Any) -> dict[str, Any]:
    said = StringIO()
    options = {"rounds": 2, "longest": 0.0, "json": True} | options
    call_command("okx_probe", "--simulator", stdout=said, **options)
    report: dict[str, Any] = json.loads(said.getvalue())
    return report


async def held(simulator: Simulator, who: Credentials) -> int:
    client = OkxClient(simulator.endpoint)
    positions = await client.fetch_positions(who)
    orders = await client.fetch_open_orders(who)
    await client.aclose()
    return len(positions) + len(orders)


@pytest.mark.parametrize(
    ("rule", "live", "canceled", "filled"),
    [
        ("live_only", "duplicate", "ack", "ack"),
        ("ever", "duplicate", "duplicate", "duplicate"),
        ("never", "ack", "ack", "ack"),
    ],
)
def test_it_tells_how_long_a_name_is_taken(
    simulator: Simulator, demo: Credentials, rule: str, live: str, canceled: str, filled: str
) -> None:
    asyncio.run(simulator.tell("/limits", dup_clordid=rule))

    found = probed(rounds=1)["findings"]

    assert [each["outcome"] for each in found["while_live"]] == [live]
    assert [each["outcome"] for each in found["after_cancel"]] == [canceled]
    assert [each["outcome"] for each in found["after_fill"]] == [filled]
    codes = {each["code"] for each in found["while_live"] if each["outcome"] == "duplicate"}
    assert codes in (set(), {"51016"})
    assert found["left_behind"] == []
    assert asyncio.run(held(simulator, demo)) == 0


def test_it_tells_what_a_passed_deadline_says(demo: Credentials) -> None:
    found = probed(rounds=0)["findings"]

    assert (found["expired_code"], found["expired_placed"]) == ("50036", False)


@pytest.mark.long
def test_a_lagging_exchange_asks_for_more_grace(simulator: Simulator, demo: Credentials) -> None:
    prompt = probed(rounds=1)
    asyncio.run(simulator.tell("/limits", read_lag_ms=1100))
    lagging = probed(rounds=1)

    assert prompt["findings"]["worst_lag_ms"] < 400
    assert 1000 < lagging["findings"]["worst_lag_ms"] < 2500
    assert lagging["findings"]["not_found_answers"] > 5
    grace = {each["name"]: each for each in lagging["settings"]}["GRACE_S"]
    assert grace["changes"]
    assert int(grace["value"]) >= 4
    assert asyncio.run(held(simulator, demo)) == 0


def test_an_answer_that_proves_nothing_is_looked_into(
    simulator: Simulator, demo: Credentials
) -> None:
    fault = {"kind": "code", "code": 50026, "after": True}
    asyncio.run(
        simulator.tell(
            "/faults",
            fault=fault,
            match={"account": demo.api_key, "path": "/api/v5/trade/order", "method": "POST"},
            times=1,
        )
    )

    found = probed(rounds=1)["findings"]

    assert (found["ambiguous"]["50026"], found["ambiguous_placed"]["50026"]) == (1, 1)
    assert asyncio.run(held(simulator, demo)) == 0


def test_people_get_a_table(demo: Credentials) -> None:
    said = StringIO()

    call_command("okx_probe", "--simulator", stdout=said, rounds=1, longest=0.0)

    table = said.getvalue()
    assert "name used again while live       after 0 s 51016" in table
    assert "GRACE_S          3 stays" in table
    for secret in (demo.api_key, demo.secret, demo.passphrase):
        assert secret not in table


def test_an_account_in_use_is_left_alone(simulator: Simulator, demo: Credentials) -> None:
    async def open_one() -> None:
        client = OkxClient(simulator.endpoint)
        await client.place_order(demo, order(), exp_at_ms=soon(client))
        await client.aclose()

    asyncio.run(open_one())

    with pytest.raises(CommandError, match="has orders or a position"):
        probed()

    assert asyncio.run(ordered(simulator, demo)) == 1


async def ordered(simulator: Simulator, who: Credentials) -> int:
    client = OkxClient(simulator.endpoint)
    history = await client.fetch_order_history(who, InstrumentType.SWAP)
    await client.aclose()
    return len(history)


@pytest.mark.parametrize("missing", KEY_NAMES)
def test_it_needs_a_key(demo: Credentials, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delenv(missing)

    with pytest.raises(CommandError, match="OKX_PROBE_KEY"):
        probed()


def test_a_key_of_another_environment_is_refused(
    simulator: Simulator, demo: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As OKX answers when a live key is used with the header of the demo."""
    stranger = asyncio.run(simulator.account(env="demo"))
    monkeypatch.setenv(KEY_NAMES[0], stranger.api_key)
    monkeypatch.setenv(KEY_NAMES[1], stranger.secret)
    monkeypatch.setenv(KEY_NAMES[2], stranger.passphrase)

    with pytest.raises(CommandError, match="50101"):
        probed()


def test_one_market_has_to_be_named() -> None:
    with pytest.raises(CommandError, match="--demo --simulator"):
        call_command("okx_probe")
