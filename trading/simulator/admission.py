"""Whether an order call may pass: expiry, request limits, and the shape of its body."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from trading.simulator.codes import OkxError, parameter
from trading.simulator.decimals import parse_whole
from trading.simulator.instruments import BY_CODE
from trading.simulator.operations import MAX_BATCH
from trading.simulator.state import Account
from trading.simulator.venue import Venue

ACCOUNT_ORDERS: Final = 1000
SINGLE_LIMIT: Final = 60
BATCH_LIMIT: Final = 300
WINDOW_MS: Final = 2000
_LONGEST_NAME: Final = 128  # what is kept of a name that may be anything


def check_expiry(text: str, now_ms: int, code: str) -> None:
    """`code` is 50036 on arrival and 50037 when the time ran out inside."""
    if not text:
        return
    expires = parse_whole(text)
    if expires is None:
        raise parameter("expTime")
    if expires < now_ms:
        raise OkxError(code)


def check_batch(items: Any, bucket: str) -> list[Any]:
    """An amendment may name an order only once; the limit has a code for it too."""
    if not isinstance(items, list):
        raise OkxError("50002")
    if not items:
        raise OkxError("50000")
    amends = bucket == "amend"
    if len(items) > MAX_BATCH:
        raise OkxError("51501" if amends else "51111", str(MAX_BATCH))
    if amends and _names_one_twice(items):
        raise OkxError("51512")
    return items


def instruments_of(items: list[Any]) -> list[str]:
    """The instrument of every item, for limits and faults; unreadable ones are empty."""
    return [_instrument_of(item) for item in items]


def client_ids_of(items: list[Any]) -> list[str]:
    made = [item.get("clOrdId") for item in items if isinstance(item, dict)]
    return [each[:_LONGEST_NAME] for each in made if isinstance(each, str) and each]


def sides_of(items: list[Any]) -> list[str]:
    made = [item.get("side") for item in items if isinstance(item, dict)]
    return [each for each in made if isinstance(each, str)]


def count_orders(
    venue: Venue, account: Account, bucket: str, items: list[Any], now_ms: int
) -> None:
    """Per user and instrument; one order counts as a single call, more as a batch."""
    if not venue.limiter.enabled:
        return
    limit = SINGLE_LIMIT if len(items) == 1 else BATCH_LIMIT
    size = "single" if len(items) == 1 else "batch"
    take = venue.limiter.take
    for inst_id, count in Counter(instruments_of(items)).items():
        key = (account.uid, inst_id, bucket, size)
        if not take(key, limit, WINDOW_MS, now_ms, count):
            raise OkxError("50011")
    if bucket != "cancel":
        key = (account.uid, "", "account", "orders")
        if not take(key, ACCOUNT_ORDERS, WINDOW_MS, now_ms, len(items)):
            raise OkxError("50061")


def _instrument_of(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    code, inst_id = item.get("instIdCode"), item.get("instId")
    if isinstance(code, str) and code in BY_CODE:
        return BY_CODE[code].inst_id
    return inst_id[:_LONGEST_NAME] if isinstance(inst_id, str) else ""


def _names_one_twice(items: list[Any]) -> bool:
    named = [
        (_instrument_of(item), item.get("ordId") or item.get("clOrdId"))
        for item in items
        if isinstance(item, dict)
    ]
    told = [each for each in named if isinstance(each[1], str)]
    return len(set(told)) < len(told)
