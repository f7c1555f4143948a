"""The simulator as a program of its own, and orders to try on it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from trading.exchange.clock import ClockSample
from trading.exchange.okx.rest import OkxClient
from trading.exchange.types import (
    Credentials,
    Endpoint,
    MarginMode,
    OrderType,
    PlaceRequest,
    Side,
)

BTC = "BTC-USDT-SWAP"
PRICE = Decimal(60000)


@dataclass
class Simulator:
    endpoint: Endpoint
    control: str

    async def tell(self, path: str, **body: Any) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.control + path, json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def fault(self, fault: str, **match: Any) -> None:
        await self.tell("/faults", fault=fault, match=match, times=1)

    async def account(self, **changes: Any) -> Credentials:
        name = uuid.uuid4().hex
        credentials = Credentials(f"key-{name}", f"secret-{name}", f"pass-{name}")
        body = {
            "key": credentials.api_key,
            "secret": credentials.secret,
            "passphrase": credentials.passphrase,
            "balances": {"USDT": "10000"},
        }
        await self.tell("/accounts", **(body | changes))
        return credentials


def order(**changes: Any) -> PlaceRequest:
    terms: dict[str, Any] = {
        "inst_id": BTC,
        "side": Side.BUY,
        "position_side": None,
        "margin_mode": MarginMode.CROSS,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("1.5"),
        "client_order_id": uuid.uuid4().hex,
    }
    return PlaceRequest(**(terms | changes))


def resting(**changes: Any) -> PlaceRequest:
    return order(order_type=OrderType.LIMIT, price=PRICE - 600, **changes)


def soon(client: OkxClient) -> int:
    return client.clock.now_ms() + 3000


def sample_behind(client: OkxClient, *, by_ms: int) -> ClockSample:
    """A sample that makes the client think the exchange's clock is behind."""
    now = client.clock.host_ms()
    return ClockSample(now, now, now - by_ms)
