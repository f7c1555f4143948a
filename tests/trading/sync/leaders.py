"""A leader at the simulator, and what became of what it did."""

from __future__ import annotations

import uuid
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
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import (
    MarginMode,
    OrderType,
    PlaceRequest,
    PositionSide,
    SendOutcome,
    Side,
)


def make_leader(venue: Venue, **fields: Any) -> LeaderAccount:
    """An account at the simulator and a source of ours that watches it."""
    key = f"leader-{uuid.uuid4().hex}"
    mode = fields.pop("posMode", "net_mode")
    venue.tell(
        "/accounts",
        key=key,
        secret="a-secret",
        passphrase="a-passphrase",
        balances={"USDT": "100000"},
        posMode=mode,
    )
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
            key_status=KeyStatus.VERIFIED,
            **fields,
        )


def trade(  # noqa: PLR0913 - an order
    venue: Venue,
    leader: LeaderAccount,
    side: str,
    quantity: str | int,
    *,
    position_side: str | None = None,
    margin_mode: str = "cross",
    price: int | None = None,
) -> SendOutcome:
    """An order of the leader's own."""
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
    )
    client = client_for(venue.endpoint)
    exp_at_ms = exchange_loop().run(client.fetch_time_ms()) + 5000
    outcome = exchange_loop().run(client.place_order(keys, request, exp_at_ms=exp_at_ms))
    assert outcome.kind == "ack", outcome
    return outcome


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
