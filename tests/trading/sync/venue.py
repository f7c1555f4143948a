"""The simulator as a program of its own, and how the tests act on it from plain functions."""

from __future__ import annotations

import json
import urllib.request
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from customers.models import ExchangeAccount
from tests.factories import make_account
from tests.trading.sync.rows import BTC
from trading.endpoints import keys_of
from trading.exchange.runner import client_for, exchange_loop
from trading.exchange.types import (
    Endpoint,
    MarginMode,
    OrderType,
    PlaceRequest,
    SendOutcome,
    Side,
)
from trading.models import Order


@dataclass(frozen=True)
class Venue:
    rest: str
    ws: str
    control: str

    def tell(self, path: str, **body: Any) -> None:
        request = urllib.request.Request(
            self.control + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    def look(self, path: str) -> Any:
        with urllib.request.urlopen(self.control + path, timeout=5) as answer:
            return json.load(answer)

    def fault(self, fault: str, **match: Any) -> None:
        self.tell("/faults", fault=fault, match=match, times=1)

    def clear_faults(self) -> None:
        request = urllib.request.Request(self.control + "/faults", method="DELETE")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200

    def price(self, price: int) -> None:
        self.tell("/prices", **{BTC: str(price)})

    def open_account(self, **fields: Any) -> ExchangeAccount:
        """An account there and here, with the same key."""
        key = f"key-{uuid.uuid4().hex}"
        self.tell(
            "/accounts",
            key=key,
            secret="a-secret",
            passphrase="a-passphrase",
            balances={"USDT": "10000"},
        )
        return make_account(api_key=key, **fields)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(
            market="simulator",
            rest=self.rest,
            ws_public=f"{self.ws}/public",
            ws_private=f"{self.ws}/private",
            ws_business=f"{self.ws}/business",
        )

    def place(self, account: ExchangeAccount, order: Order, price: int | None = None) -> None:
        """Send an order of ours, as the sender would; with a price it may rest."""
        self.trade(account, order.client_order_id, order.quantity, price=price)

    def trade(
        self,
        account: ExchangeAccount,
        client_order_id: str,
        quantity: Decimal,
        *,
        side: Side = Side.BUY,
        price: int | None = None,
    ) -> SendOutcome:
        keys = keys_of(account, purpose="test")
        request = PlaceRequest(
            inst_id=BTC,
            side=side,
            position_side=None,
            margin_mode=MarginMode.CROSS,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            quantity=quantity,
            price=None if price is None else Decimal(price),
            client_order_id=client_order_id,
        )
        client = client_for(self.endpoint)
        exp_at_ms = exchange_loop().run(client.fetch_time_ms()) + 5000
        outcome = exchange_loop().run(client.place_order(keys, request, exp_at_ms=exp_at_ms))
        assert outcome.kind == "ack", outcome
        return outcome
