"""An order's identity, its states, and what several reports about it add up to."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from trading.enums import FINAL_STATES, WISHES, OrderState, PositionSide, Reason
from trading.keyed import Keyed

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
_LETTERS = _ALPHABET.encode().ljust(256, b"\0")
_DIGEST_LETTERS = 26  # 130 bits
_DEPLOYMENT_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{1,3}", re.ASCII)


def client_order_id(
    *, deployment_code: str, key: bytes, link_uid: UUID, signal_id: UUID, leg: int, slice_: int
) -> str:
    """The id under which the exchange knows this order, the same for every attempt.

    Deterministic, not guessable without `key`, at most 30 letters and digits, beginning with
    the deployment code (a letter, then 1 to 3 letters or digits; else ValueError).
    """
    ids = ClientOrderIds(deployment_code=deployment_code, key=key, signal_id=signal_id)
    return ids.of(link_uid.hex, leg, slice_)


class ClientOrderIds:
    """The client order ids of one signal's orders; see `client_order_id`."""

    def __init__(self, *, deployment_code: str, key: bytes, signal_id: UUID) -> None:
        if not _DEPLOYMENT_CODE.fullmatch(deployment_code):
            raise ValueError("A deployment code is a letter and 1 to 3 letters or digits")
        self._code, self._signal = deployment_code, signal_id.hex
        self._keyed = Keyed(key)

    def of(self, link_hex: str, leg: int, slice_: int) -> str:
        """`link_hex`: the link's uid as 32 hex digits."""
        identity = f"{link_hex}|{self._signal}|{leg}|{slice_}".encode("ascii")
        return self._code + _base32(self._keyed.digest(identity))


def client_algo_id(*, deployment_code: str, key: bytes, identity: str) -> str:
    """The id of a take profit and stop loss: of an order's, from the order's own client id."""
    digest = hmac.digest(key, f"algo|{identity}".encode(), "sha256")
    return deployment_code + _base32(digest)


def is_ours(cl_ord_id: str, deployment_code: str) -> bool:
    """Does the id have the shape this deployment gives? (No proof: look the order up.)"""
    code, rest = cl_ord_id[:-_DIGEST_LETTERS], cl_ord_id[-_DIGEST_LETTERS:]
    return code == deployment_code and len(rest) == _DIGEST_LETTERS and set(rest) <= set(_ALPHABET)


def deployment_of(cl_ord_id: str) -> str | None:
    """The deployment code of an id that has the shape of a Copydesk's; None for all others."""
    code = cl_ord_id[:-_DIGEST_LETTERS]
    shaped = _DEPLOYMENT_CODE.fullmatch(code) is not None and is_ours(cl_ord_id, code)
    return code if shaped else None


def lane_key(account_id: int, inst_id: str, position_side: PositionSide) -> str:
    """Orders with the same key are sent one after the other."""
    lane = f"{account_id}|{inst_id}"
    return lane if position_side == PositionSide.NET else f"{lane}|{position_side.value}"


RANK: Mapping[OrderState, int] = {
    OrderState.NEW: 0,
    OrderState.READY: 1,
    OrderState.SENDING: 2,
    OrderState.UNKNOWN: 3,
    OrderState.LIVE: 4,
    OrderState.PARTIALLY_FILLED: 5,
    OrderState.MANUAL: 8,
    # Final; a state that proves the order was placed outweighs one that says it was not.
    OrderState.DENIED: 10,
    OrderState.EXPIRED: 11,
    OrderState.REJECTED: 12,
    OrderState.CANCELED: 13,
    OrderState.FILLED: 14,
}

_UNSENT_ENDS = frozenset({OrderState.CANCELED, OrderState.EXPIRED, OrderState.DENIED})
_PLACED = frozenset(
    {
        OrderState.LIVE,
        OrderState.PARTIALLY_FILLED,
        OrderState.FILLED,
        OrderState.CANCELED,
    }
)
_NOT_PLACED = frozenset({OrderState.REJECTED, OrderState.EXPIRED})
_MANUAL = frozenset({OrderState.MANUAL})

TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.NEW: _UNSENT_ENDS | _MANUAL | {OrderState.READY},
    OrderState.READY: _UNSENT_ENDS | _MANUAL | {OrderState.SENDING},
    OrderState.SENDING: _PLACED | _NOT_PLACED | _MANUAL | {OrderState.UNKNOWN},
    OrderState.UNKNOWN: _PLACED | _NOT_PLACED | _MANUAL,
    OrderState.LIVE: _MANUAL
    | {OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELED},
    OrderState.PARTIALLY_FILLED: _MANUAL | {OrderState.FILLED, OrderState.CANCELED},
    OrderState.MANUAL: _PLACED | _NOT_PLACED,
    OrderState.FILLED: frozenset(),
    OrderState.CANCELED: frozenset(),
    OrderState.REJECTED: frozenset(),
    OrderState.EXPIRED: frozenset(),
    OrderState.DENIED: frozenset(),
}

_RESENDABLE = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.MANUAL})


def may_become(current: OrderState, wanted: OrderState, *, proved_not_placed: bool = False) -> bool:
    """Is this change of state allowed? To stay in a state is none.

    An order that was sent is made ready again only on proof that the exchange does not have it.
    """
    if wanted == OrderState.READY and current in _RESENDABLE:
        return proved_not_placed
    return wanted in TRANSITIONS[current]


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What is known about an order, from us or from one report of the exchange.

    `filled_quantity` in contracts, over all fills; `average_price` is theirs.
    `updated_at` is the exchange's time. `late_fill`: more was filled than a final report
    said, which a person must hear about.
    """

    state: OrderState
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    updated_at: datetime | None = None
    exchange_order_id: str = ""
    late_fill: bool = False

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES


def merge_report(current: OrderFacts, report: OrderFacts) -> OrderFacts:
    """What is known after a report, whichever order reports come in and however often.

    Each part only ever grows (the larger filled quantity, the higher state, the later time),
    so the result depends on the set of reports alone. A final state stays; a larger fill
    after one is still applied, with `late_fill` set.
    """
    filled, price = max(
        (current.filled_quantity, current.average_price),
        (report.filled_quantity, report.average_price),
        key=lambda pair: (pair[0], pair[1] is not None, pair[1] or Decimal(0)),
    )
    state = max(current.state, report.state, key=RANK.__getitem__)
    if filled > 0 and RANK[state] < RANK[OrderState.PARTIALLY_FILLED]:
        state = OrderState.PARTIALLY_FILLED
    times = [facts.updated_at for facts in (current, report) if facts.updated_at is not None]
    return OrderFacts(
        state=state,
        filled_quantity=filled,
        average_price=price,
        updated_at=max(times, default=None),
        exchange_order_id=max(current.exchange_order_id, report.exchange_order_id),
        late_fill=any(
            facts.late_fill or (facts.is_final and facts.filled_quantity < filled)
            for facts in (current, report)
        ),
    )


def why_canceled(noted: str) -> Reason:
    """Why an order was canceled that we wished to be, from what was noted on it."""
    return Reason(noted) if noted in WISHES else Reason.CANCELED_BY_SIGNAL


class OrderWord(TextChoices):
    """The five words in which people read an order's state."""

    WAITING = "waiting", _("Waiting")
    PARTLY_FILLED = "partly_filled", _("Partly filled")
    FILLED = "filled", _("Filled")
    CANCELED = "canceled", _("Canceled")
    FAILED = "failed", _("Failed")


WORDS: Mapping[OrderState, OrderWord] = {
    OrderState.NEW: OrderWord.WAITING,
    OrderState.READY: OrderWord.WAITING,
    OrderState.SENDING: OrderWord.WAITING,
    OrderState.UNKNOWN: OrderWord.WAITING,
    OrderState.LIVE: OrderWord.WAITING,
    OrderState.MANUAL: OrderWord.WAITING,
    OrderState.PARTIALLY_FILLED: OrderWord.PARTLY_FILLED,
    OrderState.FILLED: OrderWord.FILLED,
    OrderState.CANCELED: OrderWord.CANCELED,
    OrderState.REJECTED: OrderWord.FAILED,
    OrderState.EXPIRED: OrderWord.CANCELED,
    OrderState.DENIED: OrderWord.FAILED,
}


def word_for(state: OrderState) -> OrderWord:
    """How people read this state."""
    return WORDS[state]


def _base32(digest: bytes) -> str:
    """The first 130 bits, five to a letter."""
    bits = int.from_bytes(digest[:17], "big") >> 6
    for lower, upper, away in _SPREAD:
        bits = bits & lower | (bits & upper) << away
    return bits.to_bytes(_DIGEST_LETTERS, "big").translate(_LETTERS).decode()


def _spread() -> Iterator[tuple[int, int, int]]:
    """How 32 letters of five bits become 32 bytes: all groups of letters are halved at once, and
    their upper halves moved away from the lower ones, until each letter is alone in its byte."""
    for half in (16, 8, 4, 2, 1):
        lower = sum(((1 << 5 * half) - 1) << at for at in range(0, 256, 16 * half))
        yield lower, lower << 5 * half, 3 * half


_SPREAD = tuple(_spread())
