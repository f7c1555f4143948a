"""Whatever happens in whatever order: money is conserved, close-only orders close only,
the ledger tells the whole state, and the same seed gives the same ledger."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.sessions import (
    Session,
    check_close_only,
    check_money,
    check_never_flipped,
    check_replay,
    ledger_bytes,
)


def run(seed: int, steps: int) -> Session:
    session = Session(seed)
    for _ in range(steps):
        session.act()
        check_money(session)
        check_close_only(session)
    check_never_flipped(session.exchange.ledger.entries)
    check_replay(session)
    return session


def test_random_sessions_keep_every_promise_and_reach_what_they_are_for() -> None:
    """Sessions that never liquidate, trade across accounts or refuse would prove nothing."""
    sessions = [run(seed, 1200) for seed in range(3)]
    entries = [each for session in sessions for each in session.exchange.ledger.entries]
    fills = [each for each in entries if each["kind"] == "fill"]
    makers = {each["trade_id"] for each in fills if each["exec_type"] == "M"}
    refusals = set().union(*(session.refused_codes for session in sessions))

    assert {each["kind"] for each in entries} >= {"funding", "margin", "amend", "setting"}
    assert "full_liquidation" in {each["category"] for each in entries if each["kind"] == "order"}
    assert {each["cancel_source"] for each in entries if each["kind"] == "cancel"} >= {
        *("1", "3", "13", "14", "22", "31", "32")
    }
    assert any(each["exec_type"] == "T" and each["trade_id"] in makers for each in fills)
    assert any(each["order_state"] == "partially_filled" for each in fills)
    assert refusals >= {"51004", "51008", "51112", "51169", "59000", "59101", "59107", "59301"}


def test_the_same_seed_gives_the_same_ledger() -> None:
    first, second = Session(5), Session(5)

    for _ in range(250):
        first.act()
        second.act()

    assert ledger_bytes(first) == ledger_bytes(second)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 108))
def test_a_long_session_keeps_every_promise(seed: int) -> None:
    session, again = run(seed, 4000), Session(seed)

    for _ in range(4000):
        again.act()

    assert ledger_bytes(session) == ledger_bytes(again)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_sessions_nobody_has_seen_keep_every_promise(seed: int) -> None:
    run(seed, 150)
