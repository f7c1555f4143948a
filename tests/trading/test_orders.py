from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.enums import FINAL_STATES, OrderState, PositionSide
from trading.orders import (
    RANK,
    TRANSITIONS,
    OrderFacts,
    OrderWord,
    client_order_id,
    is_ours,
    lane_key,
    may_become,
    merge_report,
    word_for,
)

D = Decimal
KEY = b"k" * 32
LINK = UUID("6f1c3c2e-9d7e-4d7c-8f39-3f1c2f4f5a01")
SIGNAL = UUID("018f3c2e-9d7e-7d7c-8f39-3f1c2f4f5a02")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def id_of(
    *,
    deployment_code: str = "cd1",
    key: bytes = KEY,
    link_uid: UUID = LINK,
    signal_id: UUID = SIGNAL,
    leg: int = 0,
    slice_: int = 0,
) -> str:
    return client_order_id(
        deployment_code=deployment_code,
        key=key,
        link_uid=link_uid,
        signal_id=signal_id,
        leg=leg,
        slice_=slice_,
    )


def test_the_client_order_id_never_changes() -> None:
    # Ids already at the exchange must be found again by every later version.
    assert id_of() == "cd19ta3nkjw2p1gva64ypafk655as"


@given(st.binary(max_size=80))
def test_the_client_order_id_is_the_beginning_of_a_keyed_digest(key: bytes) -> None:
    digest = hmac.digest(key, f"{LINK.hex}|{SIGNAL.hex}|0|0".encode(), "sha256")
    bits = f"{int.from_bytes(digest, 'big'):0256b}"
    letters = [int(bits[start : start + 5], 2) for start in range(0, 130, 5)]

    assert id_of(key=key) == "cd1" + "".join("0123456789abcdefghjkmnpqrstvwxyz"[n] for n in letters)


@pytest.mark.parametrize("code", ["cd", "cd1", "Cd1x"])
def test_the_client_order_id_is_what_okx_takes(code: str) -> None:
    made = id_of(deployment_code=code)

    assert made.isascii()
    assert made.isalnum()
    assert len(made) <= 32
    assert made.startswith(code)
    assert made[len(code) :] == made[len(code) :].lower()


@pytest.mark.parametrize("code", ["", "c", "1cd", "cdxyz", "c-d", "çd", "cd\n"])
def test_a_bad_deployment_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="deployment code"):
        id_of(deployment_code=code)


def test_every_part_of_the_identity_counts() -> None:
    ids = {
        id_of(),
        id_of(key=b"other"),
        id_of(link_uid=SIGNAL),
        id_of(signal_id=LINK),
        id_of(leg=1),
        id_of(slice_=1),
        id_of(leg=1, slice_=1),
    }

    assert len(ids) == 7


def test_our_ids_are_told_from_others() -> None:
    assert is_ours(id_of(), "cd1")
    assert not is_ours(id_of(), "cd2")
    assert not is_ours(id_of(), "cd")
    assert not is_ours(id_of(deployment_code="cd"), "cd1")
    assert not is_ours(id_of().upper(), "CD1")
    assert not is_ours("cd1", "cd1")
    assert not is_ours("", "cd1")


def test_lanes_are_per_side_in_long_short_mode_only() -> None:
    assert lane_key(7, "BTC-USDT-SWAP", PositionSide.NET) == "7|BTC-USDT-SWAP"
    assert lane_key(7, "BTC-USDT-SWAP", PositionSide.LONG) == "7|BTC-USDT-SWAP|long"


def test_every_state_has_a_rank_a_row_and_a_word() -> None:
    assert set(RANK) == set(TRANSITIONS) == set(OrderState)
    assert {word_for(state) for state in OrderState} == set(OrderWord)


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_final_state_becomes_nothing_else(state: OrderState) -> None:
    for wanted in OrderState:
        assert not may_become(state, wanted)
        assert not may_become(state, wanted, proved_not_placed=True)


@pytest.mark.parametrize("state", sorted(set(OrderState) - {OrderState.MANUAL}))
def test_states_only_rise(state: OrderState) -> None:
    assert all(RANK[wanted] > RANK[state] for wanted in TRANSITIONS[state])


@pytest.mark.parametrize("state", [OrderState.SENDING, OrderState.UNKNOWN, OrderState.MANUAL])
def test_what_was_sent_is_sent_again_only_on_proof(state: OrderState) -> None:
    assert not may_become(state, OrderState.READY)
    assert may_become(state, OrderState.READY, proved_not_placed=True)


@pytest.mark.parametrize("state", [OrderState.LIVE, OrderState.PARTIALLY_FILLED])
def test_what_was_placed_is_never_sent_again(state: OrderState) -> None:
    assert not may_become(state, OrderState.READY, proved_not_placed=True)


@pytest.mark.parametrize(
    ("current", "wanted", "allowed"),
    [
        (OrderState.NEW, OrderState.READY, True),
        (OrderState.NEW, OrderState.SENDING, False),
        (OrderState.READY, OrderState.SENDING, True),
        (OrderState.READY, OrderState.CANCELED, True),
        (OrderState.READY, OrderState.LIVE, False),
        (OrderState.SENDING, OrderState.UNKNOWN, True),
        (OrderState.SENDING, OrderState.DENIED, False),
        (OrderState.UNKNOWN, OrderState.FILLED, True),
        (OrderState.UNKNOWN, OrderState.EXPIRED, True),
        (OrderState.LIVE, OrderState.REJECTED, False),
        (OrderState.LIVE, OrderState.LIVE, False),
        (OrderState.PARTIALLY_FILLED, OrderState.CANCELED, True),
        (OrderState.PARTIALLY_FILLED, OrderState.LIVE, False),
        (OrderState.MANUAL, OrderState.EXPIRED, True),
        (OrderState.MANUAL, OrderState.READY, False),
    ],
)
def test_transitions(current: OrderState, wanted: OrderState, *, allowed: bool) -> None:
    assert may_become(current, wanted) == allowed


SENT = OrderFacts(OrderState.SENDING)
LIVE = OrderFacts(OrderState.LIVE, updated_at=NOON, exchange_order_id="1")
PARTLY = replace(
    LIVE,
    state=OrderState.PARTIALLY_FILLED,
    filled_quantity=D(1),
    average_price=D(100),
    updated_at=NOON + timedelta(seconds=1),
)
FILLED = replace(
    PARTLY,
    state=OrderState.FILLED,
    filled_quantity=D(2),
    average_price=D(101),
    updated_at=NOON + timedelta(seconds=2),
)


@pytest.mark.parametrize(
    ("label", "current", "report", "expected"),
    [
        ("acknowledged", SENT, LIVE, LIVE),
        ("filled at once", SENT, FILLED, FILLED),
        ("late acknowledgment", FILLED, LIVE, FILLED),
        ("older fill", FILLED, PARTLY, FILLED),
        ("the same again", PARTLY, PARTLY, PARTLY),
        (
            "live with a fill is partly filled",
            LIVE,
            replace(LIVE, filled_quantity=D(1), average_price=D(100)),
            replace(PARTLY, updated_at=NOON),
        ),
        (
            "canceled keeps its fills",
            PARTLY,
            replace(LIVE, state=OrderState.CANCELED, filled_quantity=D(1)),
            replace(PARTLY, state=OrderState.CANCELED),
        ),
        (
            "fill after the end",
            replace(PARTLY, state=OrderState.CANCELED),
            replace(FILLED, state=OrderState.PARTIALLY_FILLED),
            replace(FILLED, state=OrderState.CANCELED, late_fill=True),
        ),
        (
            "fill of an order we held for not placed",
            OrderFacts(OrderState.EXPIRED),
            FILLED,
            replace(FILLED, late_fill=True),
        ),
        (
            "a person decides",
            OrderFacts(OrderState.MANUAL),
            LIVE,
            replace(LIVE, state=OrderState.MANUAL),
        ),
        ("the exchange decides", OrderFacts(OrderState.MANUAL), FILLED, FILLED),
    ],
)
def test_merging_a_report(
    label: str, current: OrderFacts, report: OrderFacts, expected: OrderFacts
) -> None:
    merged = merge_report(current, report)

    assert merged == expected, label
    assert merge_report(merged, report) == expected


reports = st.builds(
    OrderFacts,
    state=st.sampled_from(OrderState),
    filled_quantity=st.integers(0, 3).map(D),
    average_price=st.one_of(st.none(), st.integers(1, 3).map(D)),
    updated_at=st.one_of(st.none(), st.integers(0, 3).map(lambda n: NOON + timedelta(seconds=n))),
    exchange_order_id=st.sampled_from(["", "1"]),
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), history=st.lists(reports, min_size=1, max_size=6))
def test_any_order_of_the_same_reports_ends_the_same(
    data: st.DataObject, history: list[OrderFacts]
) -> None:
    shuffled = data.draw(st.permutations(history))
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(history), max_size=3))]

    assert reduce(merge_report, history, SENT) == reduce(merge_report, repeated, SENT)


@settings(max_examples=200, deadline=None)
@given(current=reports, report=reports)
def test_a_report_never_takes_anything_back(current: OrderFacts, report: OrderFacts) -> None:
    merged = merge_report(current, report)

    assert RANK[merged.state] >= RANK[current.state]
    assert merged.filled_quantity == max(current.filled_quantity, report.filled_quantity)
    if current.is_final:
        assert merged.is_final
        assert merged.late_fill >= (report.filled_quantity > current.filled_quantity)
