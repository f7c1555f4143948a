"""Which limits a request counts against. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from trading.exchange.okx.pacing import Toll
from trading.exchange.okx.rates import COUNTED_AS_ORDERS, GETS, ORDERS_OF_ACCOUNT, POSTS

Tolls = tuple[Toll, ...]
_KINDS = ("instId", "instType", "tag")


def toll_of_question(path: str, params: Mapping[str, str], account: str) -> Tolls:
    """`account` is the key that asks, or empty for the public."""
    rate = GETS.get(path)
    if rate is None:
        return ()
    return (Toll((account, path, "?", kind_of(params) if rate.per_instrument else ""), rate),)


@lru_cache(16_384)
def toll_of_order(path: str, inst_id: str, account: str) -> Tolls:
    """What is about one instrument, or about the account as a whole."""
    rate = POSTS.get(path)
    if rate is None:
        return ()
    toll = Toll((account, path, inst_id if rate.per_instrument else ""), rate)
    if path in COUNTED_AS_ORDERS:
        return toll, Toll((account, "orders"), ORDERS_OF_ACCOUNT)
    return (toll,)


def toll_of_batch(path: str, bodies: Iterable[Mapping[str, Any]], account: str) -> Tolls:
    """Each item counts, with the others of its instrument."""
    rate = POSTS.get(path)
    if rate is None:
        return ()
    counts = Counter(str(body.get("instId", "")) for body in bodies)
    return tuple(Toll((account, path, inst_id), rate, count) for inst_id, count in counts.items())


def kind_of(params: Mapping[str, Any]) -> str:
    """What it is about, for limits that are counted by instrument (or its type, or by tag)."""
    return next((str(params[name]) for name in _KINDS if params.get(name)), "")
