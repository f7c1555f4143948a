"""The prepared calls of the simulator's benchmark: signed requests and frames, byte for byte."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SWAP = "BTC-USDT-SWAP"
SHORT = 126


@dataclass(frozen=True)
class Trader:
    """One account and how it signs."""

    key: str

    @property
    def opening(self) -> dict[str, Any]:
        secrets = {"secret": f"{self.key}-secret", "passphrase": "pass"}
        return {"key": self.key, **secrets, "balances": {"USDT": "10000000"}}

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """A signed request, byte for byte."""
        data = b"" if body is None else json.dumps(body).encode()
        now = datetime.now(UTC)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"OK-ACCESS-KEY: {self.key}\r\nOK-ACCESS-PASSPHRASE: pass\r\n"
            f"OK-ACCESS-TIMESTAMP: {stamp}\r\n"
            f"OK-ACCESS-SIGN: {self._sign(f'{stamp}{method}{path}'.encode() + data)}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        return head.encode() + data

    def login(self) -> dict[str, Any]:
        stamp = str(int(time.time()))
        signed = self._sign(f"{stamp}GET/users/self/verify".encode())
        arg = {"apiKey": self.key, "passphrase": "pass", "timestamp": stamp, "sign": signed}
        return {"op": "login", "args": [arg]}

    def _sign(self, text: bytes) -> str:
        digest = hmac.new(f"{self.key}-secret".encode(), text, hashlib.sha256).digest()
        return base64.b64encode(digest).decode()


def split(
    traders: Sequence[Trader], count: int, kind: Callable[[Trader, int], list[bytes]]
) -> list[list[bytes]]:
    return [kind(each, count // len(traders)) for each in traders]


def order(**terms: Any) -> dict[str, Any]:
    base = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "0.1"}
    return base | ({"ordType": "limit"} if "px" in terms else {}) | terms


def market_orders(trader: Trader, count: int) -> list[bytes]:
    """Buying and selling in turn, so that the position stays small."""
    return [trader.call("POST", "/api/v5/trade/order", each) for each in _market(count)]


def market_frames(_trader: Trader, count: int) -> list[bytes]:
    return [frame_of({"id": "1", "op": "order", "args": [each]}) for each in _market(count)]


def _market(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield order(side=("buy", "sell")[number % 2], clOrdId=f"m{number}")


def resting_orders(trader: Trader, count: int) -> list[bytes]:
    calls = []
    for number in range(count // 2):
        name = f"r{number}"
        place = order(px="63000", clOrdId=name)
        calls.append(trader.call("POST", "/api/v5/trade/order", place))
        cancel = {"instId": SWAP, "clOrdId": name}
        calls.append(trader.call("POST", "/api/v5/trade/cancel-order", cancel))
    return calls


def resting_frames(_trader: Trader, count: int) -> list[bytes]:
    calls = []
    for number in range(count // 2):
        name = f"w{number}"
        place = order(px="63000", clOrdId=name)
        cancel = {"instId": SWAP, "clOrdId": name}
        calls.append(frame_of({"id": "1", "op": "order", "args": [place]}))
        calls.append(frame_of({"id": "1", "op": "cancel-order", "args": [cancel]}))
    return calls


def order_queries(trader: Trader, count: int) -> list[bytes]:
    path = f"/api/v5/trade/order?instId={SWAP}&clOrdId=m1"
    return [trader.call("GET", path) for _ in range(count)]


def plain_post(path: str, data: bytes) -> bytes:
    """JSON for the control API, from this machine."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def frame_of(value: Any) -> bytes:
    """A text frame of a client; masked with zeros, which leave the text as it is."""
    data = json.dumps(value).encode()
    size = bytes((0x80 | len(data),))
    if len(data) >= SHORT:
        size = bytes((0x80 | SHORT,)) + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data
