"""When a fault strikes: what it matches, its time window, its chance, its end."""

from __future__ import annotations

from typing import Any

import pytest

from trading.simulator.clock import Clock
from trading.simulator.fault_kinds import KINDS, REST_KINDS, BadFaultError
from trading.simulator.faults import MOST_INSTALLED, Faults, Subject

ORDER = Subject(
    path="/api/v5/trade/order",
    method="POST",
    account="me",
    insts=("BTC-USDT-SWAP",),
    cl_ord_ids=("a1",),
    sides=("sell",),
)


class Dial:
    """A clock of faults that is turned by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def hit(faults: Faults, subject: Subject = ORDER) -> bool:
    return faults.pick(REST_KINDS, subject) is not None


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({}, True),
        ({"op": "order"}, True),
        ({"op": "cancel-order"}, False),
        ({"side": "sell"}, True),
        ({"side": "buy"}, False),
        ({"inst": "BTC-USDT-SWAP", "cl_ord_id": "a1", "account": "me", "side": "sell"}, True),
        ({"inst": "BTC-USDT-SWAP", "cl_ord_id": "a2"}, False),
        ({"channel": "orders"}, False),
    ],
)
def test_every_name_of_a_match_must_hold(match: dict[str, str], struck: bool) -> None:
    faults = Faults(1)
    faults.install({"fault": "hang", "match": match})

    assert hit(faults) is struck


def test_a_lookup_of_an_order_is_no_order_operation() -> None:
    faults = Faults(1)
    faults.install({"fault": "hang", "match": {"op": "order"}})

    assert not hit(faults, Subject(path="/api/v5/trade/order", method="GET"))


@pytest.mark.parametrize("inside", [True, False])
def test_a_window_begins_later_and_ends(inside: bool) -> None:
    dial = Dial()
    faults = Faults(1, dial)
    window = {"from_s": 10, "for_s": 5.5}
    body = {"match": window} if inside else window
    fault = faults.install({"fault": "code:50011", **body})

    states = []
    for at in (100, 109.9, 110, 115.4, 115.5, 1000):
        dial.at = at
        states.append((fault.state(at), hit(faults)))

    assert states == [
        ("waiting", False),
        ("waiting", False),
        ("active", True),
        ("active", True),
        ("over", False),
        ("over", False),
    ]
    assert fault.row(dial.at)["hits"] == 2


def test_a_fault_is_over_after_its_times_or_its_nth_match() -> None:
    faults = Faults(1)
    twice = faults.install({"fault": "hang", "times": 2})
    assert [hit(faults) for _ in range(3)] == [True, True, False]
    second = faults.install({"fault": "hang", "match": {"nth": 2}})
    assert [hit(faults) for _ in range(3)] == [False, True, False]

    assert [each.state(faults.now()) for each in (twice, second)] == ["over", "over"]


def test_chance_comes_from_the_seed_inside_and_beside_the_match() -> None:
    drawn = []
    for body in ({"prob": 0.3}, {"match": {"prob": 0.3}}):
        faults = Faults(5)
        faults.install({"fault": "hang", **body})
        drawn.append([hit(faults) for _ in range(50)])

    assert drawn[0] == drawn[1]
    assert 5 < sum(drawn[0]) < 25


def test_a_changed_fault_keeps_its_hits_and_what_was_not_given() -> None:
    dial = Dial()
    faults = Faults(1, dial)
    fault = faults.install({"fault": "http:502", "match": {"account": "me"}, "for_s": 5})
    hit(faults)
    dial.at = 200

    changed = faults.change(fault.fault_id, {"fault": "http:503", "times": 3})

    assert changed is fault
    row = fault.row(dial.at)
    assert (row["kind"], row["argument"], row["times"]) == ("http", "503", 3)
    assert (row["match"], row["hits"], row["state"]) == ({"account": "me"}, 1, "active")
    with pytest.raises(BadFaultError):
        faults.change(fault.fault_id, {"prob": 2})
    assert fault.row(dial.at) == row
    assert faults.change("f99", {}) is None


def test_one_fault_can_be_removed() -> None:
    faults = Faults(1)
    first, second = faults.install({"fault": "hang"}), faults.install({"fault": "http"})

    assert faults.remove(first.fault_id)
    assert not faults.remove(first.fault_id)
    assert faults.installed == [second]


def test_only_so_many_faults_can_be_installed() -> None:
    faults = Faults(1)
    for _ in range(MOST_INSTALLED):
        faults.install({"fault": "hang"})

    with pytest.raises(BadFaultError, match="remove some"):
        faults.install({"fault": "hang"})


def test_faults_that_are_over_make_room() -> None:
    dial = Dial()
    faults = Faults(1, dial)
    for _ in range(MOST_INSTALLED):
        faults.install({"fault": "hang", "for_s": 5})
    dial.at += 6

    kept = faults.install({"fault": "hang"})

    assert faults.installed == [kept]


def test_every_kind_can_be_installed_by_its_name_alone() -> None:
    faults = Faults(1)

    for name in KINDS:
        fault = faults.install({"fault": name})
        assert (fault.kind, fault.argument) == (name, KINDS[name].default)
    assert len(faults.installed) == len(KINDS)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ({"fault": "hang", "colour": "red"}, "colour"),
        ({"fault": "drop_before:5"}, "fault"),
        ({"fault": {"kind": "drop_before", "after": True}}, "fault"),
        ({"fault": {"kind": "http", "after": "yes"}}, "fault"),
        ({"fault": {"kind": "scode", "outer": "3"}}, "fault"),
        ({"fault": {"kind": "http", "outer": "1"}}, "fault"),
        ({"fault": {"kind": "hang", "silent": True}}, "fault"),
        ({"fault": {"kind": "late_accept", "silent": 1}}, "fault"),
        ({"fault": {"kind": "http", "code": 5}}, "fault"),
        ({"fault": "redirect:200"}, "fault"),
        ({"fault": "partial:0"}, "fault"),
        ({"fault": "ws_close:999"}, "fault"),
        ({"fault": "hang:-5"}, "fault"),
        ({"fault": "hang", "from_s": -1}, "from_s"),
        ({"fault": "hang", "for_s": "long"}, "for_s"),
        ({"fault": "hang", "for_s": True}, "for_s"),
        ({"fault": "hang", "match": {"prob": 1.1}}, "prob"),
        ({"fault": "hang", "match": {"op": "place"}}, "match"),
        ({"fault": "hang", "match": {"side": ["buy"]}}, "match"),
    ],
)
def test_bad_bodies_install_nothing(body: Any, field: str) -> None:
    faults = Faults(1)

    with pytest.raises(BadFaultError) as refused:
        faults.install(body)

    assert refused.value.field == field
    assert faults.installed == []


def test_a_clock_jumps_and_drifts() -> None:
    now = [1_000_000_000_000_000]
    clock = Clock(lambda: now[0])

    clock.jump(-10_000)
    clock.drift(2000)
    now[0] += 5_000_000_000

    assert clock.skew_ms() == -10_000 + 10
    assert clock.ms() == 1_000_000_000 + 5_000 - 10_000 + 10
    clock.drift(0)
    now[0] += 5_000_000_000
    assert clock.skew_ms() == -9_990
    clock.jump(0)
    assert (clock.skew_ms(), clock.us()) == (0, now[0] // 1000)
