"""What the benchmark judges by: the stub's ledger, void rounds, and ratios of pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.fan import keys, ratios
from benchmarks.fan.ratios import Ratio, pairs
from benchmarks.fan.rounds import Measured, void_because
from benchmarks.fan.sides.bare import PLACE, order_body, signed
from benchmarks.fan.stub_answers import Book, answer_to

LATER = "9999999999999"


def place(book: Book, account: int, number: int = 1, **headers: str) -> dict[str, Any]:
    """Send an order as the bare client does, with these headers changed; the answer's body."""
    body = order_body(account, number)
    given = {name.lower(): text for name, text in signed(account, body, LATER).items()}
    answer = answer_to(book, "POST", PLACE, given | headers, body.encode())
    told: dict[str, Any] = json.loads(answer.data.partition(b"\r\n\r\n")[2])
    return told


def test_a_signed_order_is_in_the_ledger_once() -> None:
    book = Book()

    assert place(book, 7)["data"][0]["sCode"] == "0"
    assert place(book, 7)["data"][0]["sCode"] == "51016"

    ledger = book.take()
    assert (ledger["orders"], ledger["doubled"], ledger["bad_signatures"]) == (1, 1, 0)
    assert book.take()["orders"] == 0, "what was taken is forgotten"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ok-access-sign": keys.signature("another", "text")},
        {"ok-access-passphrase": "another"},
        {"ok-access-key": keys.api_key(8)},
        {"ok-access-key": "nobody"},
        {"ok-access-timestamp": "2026-01-01T00:00:00.000Z"},
    ],
)
def test_what_is_not_signed_is_not_in_the_ledger(wrong: dict[str, str]) -> None:
    book = Book()

    assert place(book, 7, **wrong)["code"] == "50113"

    ledger = book.take()
    assert (ledger["orders"], ledger["bad_signatures"]) == (0, 1)


def test_ill_accounts_are_refused_with_their_own_reason() -> None:
    book = Book(sick={1: "revoked", 2: "broke", 3: "slow"})

    told = [place(book, account) for account in (1, 2, 3, 4)]

    assert [one["code"] for one in told] == ["50111", "1", "0", "0"]
    assert told[1]["data"][0]["sCode"] == "51008"
    ledger = book.take()
    assert (ledger["orders"], ledger["refused"], len(ledger["healthy_ns"])) == (2, 2, 1)


def test_an_order_that_comes_too_late_is_not_accepted() -> None:
    book = Book()

    assert place(book, 1, exptime="1")["data"][0]["sCode"] == "50036"
    assert book.take()["expired"] == 1


GOOD = {
    "orders": 10,
    "refused": 0,
    "accounts": 10,
    "replied_ns": [1] * 10,
    "doubled": 0,
    "bad_signatures": 0,
    "expired": 0,
}


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({}, ""),
        ({"orders": 8, "accounts": 8, "refused": 2}, ""),
        ({"orders": 9, "accounts": 9}, "9 of 10 orders arrived"),
        ({"bad_signatures": 1}, "1 signatures were wrong"),
        ({"doubled": 2}, "2 orders came twice"),
        ({"expired": 1}, "1 orders came too late"),
        ({"accounts": 9}, "10 orders of 9 accounts"),
        ({"replied_ns": [0]}, "an answer was not sent"),
    ],
)
def test_a_round_counts_only_if_the_ledger_is_right(seen: dict[str, Any], reason: str) -> None:
    assert void_because(10, GOOD | seen) == reason


def measured(side: str, number: int, time_ms: float, **more: Any) -> Measured:
    plain = Measured(side, number, 100, time_ms, time_ms, 1, 1, 10, 5, 1)
    return replace(plain, **more)


def test_ratios_are_of_pairs_of_the_same_round() -> None:
    rounds = [
        measured("ours", 1, 20),
        measured("theirs", 1, 10),
        measured("theirs", 2, 10),
        measured("ours", 2, 30, void="9 of 10 orders arrived"),
        measured("ours", 3, 10),
        measured("theirs", 3, 40),
    ]

    found = pairs(rounds, "ours", "theirs", ratios.time_of)

    assert found == (2.0, 0.25)
    assert pairs(rounds, "ours", "theirs", ratios.cpu_of) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("found", "limit", "at_least", "reached"),
    [
        ((1.0, 1.3, 1.2), 1.2, False, True),
        ((1.0, 1.3, 1.25), 1.2, False, False),
        ((25.0, 18.0, 21.0), 20.0, True, True),
        ((25.0, 18.0, 19.0), 20.0, True, False),
        ((), 1.2, False, False),
        ((9.0,), None, False, None),
    ],
)
def test_a_promise_is_reached_by_the_median(
    found: tuple[float, ...], limit: float | None, at_least: bool, reached: bool | None
) -> None:
    assert Ratio("what", found, limit, at_least=at_least).is_reached is reached


def test_a_round_near_the_stubs_limit_says_so() -> None:
    assert measured("ours", 1, 10, stub_us=60).is_stub_bound
    assert not measured("ours", 1, 10, stub_us=40).is_stub_bound
