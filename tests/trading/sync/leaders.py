"""A leader at the simulator, and what became of what it did."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from accounts.fields import fingerprint
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import KeyStatus
from signals.enums import SourceKind
from signals.models import LeaderAccount, LeaderHolding, LeaderPosition, LeaderTrade, Signal
from tests.factories import make_source
from tests.trading.sync.rows import BTC
from tests.trading.sync.venue import Venue
from trading.endpoints import keys_of
from trading.exchange.protection import Protection, Trigger
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import (
    Credentials,
    MarginMode,
    OrderType,
    PlaceRequest,
    PositionMode,
    PositionSide,
    SendOutcome,
    Side,
)


def make_leader(venue: Venue, **fields: Any) -> LeaderAccount:
    """An account at the simulator and a source of ours that watches it."""
    key = f"leader-{uuid.uuid4().hex}"
    mode = fields.pop("position_mode", PositionMode.NET)
    venue.tell(
        "/accounts",
        key=key,
        secret="a-secret",
        passphrase="a-passphrase",
        balances={"USDT": "100000"},
    )
    _set_mode(venue, Credentials(key, "a-secret", "a-passphrase"), mode)
    source = make_source(kind=SourceKind.LEADER, secret="", **fields.pop("source", {}))
    with tenant_scope(source.tenant_id):
        return LeaderAccount.objects.create(
            tenant_id=source.tenant_id,
            source=source,
            api_key=key,
            api_secret="a-secret",
            passphrase="a-passphrase",
            key_last4=key[-4:],
            key_fingerprint=fingerprint(key),
            key_version=1,
            **{"key_status": KeyStatus.VERIFIED} | fields,
        )


def _set_mode(venue: Venue, keys: Credentials, mode: PositionMode) -> None:
    if mode is PositionMode.NET:
        return
    client = client_for(venue.endpoint)
    assert exchange_loop().run(client.set_position_mode(keys, mode)).kind == "ack"


def trade(  # noqa: PLR0913 - an order
    venue: Venue,
    leader: LeaderAccount,
    side: str,
    quantity: str | int,
    *,
    position_side: str | None = None,
    margin_mode: str = "cross",
    price: int | None = None,
    protection: tuple[int, int] | None = None,
) -> SendOutcome:
    """An order of the leader's own; `protection` is its take profit and its stop loss."""
    with tenant_scope(leader.tenant_id):
        keys = keys_of(leader, purpose="test")
    request = PlaceRequest(
        inst_id=BTC,
        side=Side(side),
        position_side=None if position_side is None else PositionSide(position_side),
        margin_mode=MarginMode(margin_mode),
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
        client_order_id=uuid.uuid4().hex,
        protection=None if protection is None else _protection(*protection),
    )
    client = client_for(venue.endpoint)
    exp_at_ms = exchange_loop().run(client.fetch_time_ms()) + 5000
    outcome = exchange_loop().run(client.place_order(keys, request, exp_at_ms=exp_at_ms))
    assert outcome.kind == "ack", outcome
    return outcome


def _protection(take_profit: int, stop_loss: int) -> Protection:
    return Protection(
        client_algo_id=uuid.uuid4().hex,
        take_profit=Trigger(Decimal(take_profit)),
        stop_loss=Trigger(Decimal(stop_loss)),
    )


@contextmanager
def without_sockets(venue: Venue) -> Iterator[None]:
    """No private socket lives or is opened; REST answers as always."""
    venue.tell("/faults", fault="ws_refuse:503", match={})
    venue.tell("/cut-sockets")
    try:
        yield
    finally:
        venue.clear_faults()


@contextmanager
def disturbed(venue: Venue) -> Iterator[None]:
    """A twentieth of the pushes lost, a twentieth doubled, a tenth after the ones that follow."""
    for fault, prob in (("ws_drop", 0.05), ("ws_duplicate:1", 0.05), ("ws_reorder:2", 0.1)):
        venue.tell("/faults", fault=fault, match={}, prob=prob)
    try:
        yield
    finally:
        venue.clear_faults()


def told(leader: LeaderAccount) -> list[tuple[str, str, str]]:
    """What its source was told, in order: intent, direction, how much."""
    with all_tenants("the test looks on"):
        rows = Signal.objects.filter(source=leader.source).order_by("received_at", "id")
        return [
            (row.intent, row.direction, "" if row.quantity is None else f"{row.quantity:f}")
            for row in rows
        ]


def signals_of(leader: LeaderAccount) -> list[Signal]:
    with all_tenants("the test looks on"):
        return list(Signal.objects.filter(source=leader.source).order_by("received_at", "id"))


def holdings(leader: LeaderAccount) -> dict[tuple[str, str], Decimal]:
    with all_tenants("the test looks on"):
        rows = LeaderHolding.objects.filter(leader=leader, quantity__gt=0)
        return {(row.direction, row.margin_mode): row.quantity for row in rows}


def net(leader: LeaderAccount) -> Decimal:
    """What it holds by its books, short below zero."""
    signs = {"long": 1, "short": -1}
    return sum((signs[way] * size for (way, _), size in holdings(leader).items()), Decimal(0))


def stops(leader: LeaderAccount) -> tuple[Decimal | None, Decimal | None]:
    with all_tenants("the test looks on"):
        row = LeaderHolding.objects.get(leader=leader, quantity__gt=0)
        return row.take_profit, row.stop_loss


def positions(leader: LeaderAccount) -> dict[str, Decimal]:
    with all_tenants("the test looks on"):
        rows = LeaderPosition.objects.filter(source=leader.source, quantity__gt=0)
        return {row.direction: row.quantity for row in rows}


def trades(leader: LeaderAccount) -> list[LeaderTrade]:
    with all_tenants("the test looks on"):
        return list(LeaderTrade.objects.filter(leader=leader).order_by("traded_at", "id"))


def fresh(leader: LeaderAccount) -> LeaderAccount:
    with all_tenants("the test looks on"):
        found: LeaderAccount = LeaderAccount.objects.select_related("source").get(pk=leader.pk)
        return found
