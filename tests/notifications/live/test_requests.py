"""What a client may send, as a table."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notifications.live.audiences import audience_group, customer_audience
from notifications.live.requests import Asked, Refused, parse


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ({"subscribe": {"orders": None}}, Asked(subscribe={"orders": None})),
        ({"subscribe": {"orders": 7, "equity": 0}}, Asked(subscribe={"orders": 7, "equity": 0})),
        (
            {"subscribe": {"signals": None}, "rendered": 1.5},
            Asked(subscribe={"signals": None}, rendered=1.5),
        ),
        (
            {"subscribe": {"signals": None}, "rendered": -1e300},
            Asked(subscribe={"signals": None}, rendered=0.0),
        ),
        ({"ack": {}}, Asked(ack={})),
        (
            {"ack": {"orders": 3, "never-heard-of": 1}},
            Asked(ack={"orders": 3, "never-heard-of": 1}),
        ),
    ],
)
def test_what_may_be_said(message: Any, asked: Asked) -> None:
    assert parse(json.dumps(message), "cust.7") == asked


@pytest.mark.parametrize(
    ("audience", "message", "code"),
    [
        ("cust.7", {"subscribe": {"attention": None}}, 4403),
        ("cust.7", {"subscribe": {"orders": None, "attention": None}}, 4403),
        ("cust.7", {"subscribe": {"t.2.staff": None}}, 4403),
        ("cust.7", {"subscribe": {"cust.2.orders": 3}}, 4403),
        ("cust.7", {"subscribe": {"t.1.cust.7": 3}}, 4403),
        ("staff", {"subscribe": {"t.1.staff": None}}, 4403),
        ("staff", {"subscribe": {"prices": None}}, 4400),
        ("staff", {"subscribe": {"Orders": None}}, 4400),
        ("staff", {"subscribe": {"orders": None, "": None}}, 4400),
        ("staff", {"subscribe": {}}, 4400),
        ("staff", {"subscribe": ["orders"]}, 4400),
        ("staff", {"subscribe": {"orders": "7"}}, 4400),
        ("staff", {"subscribe": {"orders": 1.0}}, 4400),
        ("staff", {"subscribe": {"orders": -1}}, 4400),
        ("staff", {"subscribe": {"orders": 2**60}}, 4400),
        ("staff", {"subscribe": {"orders": True}}, 4400),
        ("staff", {"subscribe": {"orders": None}, "tenant": 2}, 4400),
        ("staff", {"subscribe": {"orders": None}, "ack": {}}, 4400),
        ("staff", {"subscribe": {"orders": None}, "rendered": "now"}, 4400),
        ("staff", {"subscribe": {"orders": None}, "rendered": float("nan")}, 4400),
        ("staff", {"subscribe": {"orders": None}, "rendered": float("inf")}, 4400),
        ("staff", {"ack": [1]}, 4400),
        ("staff", {"ack": {"orders": None}}, 4400),
        ("staff", {"group": "t.2.staff"}, 4400),
        ("staff", {}, 4400),
        ("staff", [], 4400),
        ("staff", 1, 4400),
        ("staff", None, 4400),
        ("staff", {"ack": {"x" * 17_000: 1}}, 4400),
    ],
)
def test_what_may_not_be_said(audience: str, message: Any, code: int) -> None:
    with pytest.raises(Refused) as refused:
        parse(json.dumps(message), audience)

    assert refused.value.code == code


@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 8000, None])
def test_what_cannot_be_read_is_refused_4400(text: str | None) -> None:
    with pytest.raises(Refused) as refused:
        parse(text, "staff")

    assert refused.value.code == 4400


def test_group_names_carry_their_desk_and_nothing_else_gets_in() -> None:
    assert audience_group(3, "staff") == "t.3.staff"
    assert audience_group(3, customer_audience(2**63)) == f"t.3.cust.{2**63}"
    for audience in ("", "a b", "é", "x" * 99, "a/b"):
        if audience:
            with pytest.raises(ValueError, match="group"):
                audience_group(3, audience)
    with pytest.raises(ValueError, match="invalid literal"):
        audience_group("3.staff", "x")  # type: ignore[arg-type]


def test_a_moment_of_any_size_is_read() -> None:
    text = '{"subscribe": {"orders": null}, "rendered": %s}'

    assert [parse(text % number, "staff").rendered for number in ("-5", "1" * 400)] == [0.0, 4e9]
