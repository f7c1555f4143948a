"""JSON columns read like the rest of a page: names, figures, times, words."""

from __future__ import annotations

import pytest
from django.utils.html import strip_tags

from accounts.structures import name_parts, readable


def told(value: object, label: str = "") -> str:
    return strip_tags(str(readable(value, label)).replace("<dd", " = <dd").replace("<dt", "; <dt"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, "—"),
        ([], "—"),
        ({"external": "-3"}, "; External = −3"),
        ({"leader_entry": "60100.50"}, "; Leader entry = 60,100.5"),
        ({"explained": True, "too_many": False}, "; Explained = Yes; Too many = No"),
        ({"exchange_order_id": "1000000000000001"}, "; Exchange order id = 1000000000000001"),
        ({"code": "51008"}, "; Code = 51008"),
        ({"BTC-USDT-SWAP": {"allowed": "no"}}, "; BTC-USDT-SWAP = ; Allowed = no"),
        ({"begun_at": "2026-11-26T09:00:00+00:00"}, "; Begun at = 2026-11-26 09:00:00.000 UTC"),
        ({"begun_at": "2026-13-99T09:00"}, "; Begun at = 2026-13-99T09:00"),
        ({"note": ""}, "; Note = —"),
        (["read", "trade"], "read, trade"),
        ([{"what": "order"}, {"what": "fill"}], "; What = order; What = fill"),
    ],
)
def test_what_is_kept_as_json_is_told_in_words(value: object, expected: str) -> None:
    assert told(value) == expected


def test_no_markup_of_a_value_reaches_the_page() -> None:
    html = str(readable({"<b>": ["<script>", {"x": "<i>"}]}))

    assert "<script>" not in html
    assert "<b>" not in html
    assert "<i>" not in html


def test_a_room_names_the_keys_of_its_tables() -> None:
    name_parts(
        "tests.thing", {"leader": "Leader holds"}, lambda key, value: {"a": "Word"}.get(value)
    )

    assert (
        told({"leader": "30", "other": "a"}, "tests.thing") == "; Leader holds = 30; Other = Word"
    )
    assert told({"leader": "30"}, "tests.another") == "; Leader = 30"
