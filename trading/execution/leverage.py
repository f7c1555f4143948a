"""The account's leverage, set before an opening and only when it differs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.exchange.client import ExchangeClient
from trading.exchange.errors import ExchangeError
from trading.exchange.types import Credentials, MarginMode, Outcome, PositionSide
from trading.outgoing import Outgoing

_known: dict[tuple[int, int, str, str, str], Decimal] = {}


@dataclass(frozen=True, slots=True)
class LeverageOutcome:
    """`locked`: the account's leverage is above what the order may have and would not change.

    `unheard`: it is above, and the exchange did not say whether it will change.
    """

    locked: bool = False
    unheard: bool = False
    note: str = ""


SET = LeverageOutcome()


def needs_leverage(order: Outgoing) -> bool:
    if order.leverage is None:
        return False
    known = _known.get(_key(order))
    if order.keeps_leverage and known is not None:
        return known > order.leverage
    return known != order.leverage


async def set_leverage(
    client: ExchangeClient, keys: Credentials, order: Outgoing
) -> LeverageOutcome:
    """Ask for the order's leverage; when refused, go on with one that is not higher.

    An order that keeps the account's leverage lowers it only where it is above its own.
    """
    kept = await _kept(client, keys, order) if order.keeps_leverage else None
    return await _set(client, keys, order) if kept is None else kept


async def _set(client: ExchangeClient, keys: Credentials, order: Outgoing) -> LeverageOutcome:
    wanted = order.leverage
    assert wanted is not None  # noqa: S101 - callers ask `needs_leverage` first
    mode = MarginMode(order.margin_mode)
    side = _side(order)
    answer = await client.set_leverage(keys, order.inst_id, wanted, mode, side)
    if answer.kind == Outcome.ACK:
        _known[_key(order)] = wanted
        return SET
    try:
        held = await client.fetch_leverage(keys, order.inst_id, mode)
    except ExchangeError:
        # Not known is not locked: the exchange checks the margin of the order itself.
        return LeverageOutcome(note=f"leverage not confirmed: {answer.reason_code}")
    current = [r.leverage for r in held if side is None or r.position_side == side]
    if current and max(current) == wanted:
        _known[_key(order)] = wanted
        return SET
    if current and max(current) < wanted:
        return LeverageOutcome(note=f"leverage not changed: {answer.reason_code}")
    if answer.kind in (Outcome.UNKNOWN, Outcome.NOT_PLACED):
        return LeverageOutcome(unheard=True, note=f"leverage not confirmed: {answer.reason_code}")
    return LeverageOutcome(locked=True, note=f"{answer.reason_code} {answer.message}".strip())


async def _kept(
    client: ExchangeClient, keys: Credentials, order: Outgoing
) -> LeverageOutcome | None:
    """None where the account's leverage is too high to stay as it is."""
    side = _side(order)
    try:
        held = await client.fetch_leverage(keys, order.inst_id, MarginMode(order.margin_mode))
    except ExchangeError:
        return LeverageOutcome(unheard=True, note="leverage not read")
    current = [r.leverage for r in held if side is None or r.position_side == side]
    if not current or order.leverage is None or max(current) > order.leverage:
        return None
    _known[_key(order)] = max(current)
    return SET


def forget(account_id: int) -> None:
    """Ask again next time: the account's settings may have been changed elsewhere."""
    for key in [key for key in list(_known) if key[0] == account_id]:
        _known.pop(key, None)


def _side(order: Outgoing) -> PositionSide | None:
    """Only an isolated long or short position has a leverage of its own."""
    if order.margin_mode != MarginMode.ISOLATED or order.position_side == "net":
        return None
    return PositionSide(order.position_side)


def _key(order: Outgoing) -> tuple[int, int, str, str, str]:
    side = _side(order)
    return (
        order.account_id,
        order.account.key_version,
        order.inst_id,
        order.margin_mode,
        str(side or ""),
    )
