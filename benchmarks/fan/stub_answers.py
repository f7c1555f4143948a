"""What the stub exchange answers to one request, and the ledger it writes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from benchmarks.fan import keys

SLOW_S = 5
SWAP = {
    "instType": "SWAP",
    "instId": keys.INST_ID,
    "uly": "BTC-USDT",
    "instFamily": "BTC-USDT",
    "settleCcy": "USDT",
    "ctVal": "0.01",
    "ctMult": "1",
    "ctValCcy": "BTC",
    "ctType": "linear",
    "lotSz": "0.01",
    "minSz": "0.01",
    "tickSz": "0.1",
    "lever": "100",
    "state": "live",
    "maxMktSz": "10000",
    "maxLmtSz": "1000000",
    "listTime": "1600000000000",
    "expTime": "",
    "category": "1",
    "baseCcy": "",
    "quoteCcy": "",
}


@dataclass
class Entry:
    """One order that was accepted."""

    arrived_ns: int
    number: int
    replied_ns: int = 0


@dataclass
class Book:
    """The ledger of one port: (account, client order id) -> the order, and what was refused."""

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    sick: dict[int, str] = field(default_factory=dict)
    delay_s: float = 0
    connections: int = 0
    requests: int = 0
    doubled: int = 0
    bad_signatures: int = 0
    expired: int = 0
    refused: int = 0

    def take(self) -> dict[str, Any]:
        """Everything since the last time, and begin anew."""
        entries = self.entries.values()
        told = {
            "orders": len(entries),
            "accounts": len({entry.number for entry in entries}),
            "arrived_ns": sorted(entry.arrived_ns for entry in entries),
            "replied_ns": [entry.replied_ns for entry in entries],
            "healthy_ns": [e.replied_ns for e in entries if e.number not in self.sick],
        }
        for name in ("requests", "connections", "doubled", "bad_signatures", "expired", "refused"):
            told[name] = getattr(self, name)
            setattr(self, name, 0)
        self.entries = {}
        return told


@dataclass(slots=True)
class Answer:
    """The bytes of an answer; `entry` is noted when they leave."""

    data: bytes
    entry: Entry | None = None
    later_s: float = 0


def answer_to(book: Book, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    arrived = time.monotonic_ns()
    book.requests += 1
    if "/public/" in path or "/market/" in path:
        return _public(path)
    key = headers.get("ok-access-key", "")
    number = keys.number_of(key)
    if number is None or not _is_signed(number, method, path, headers, body):
        book.bad_signatures += 1
        return _said({"code": "50113", "msg": "Invalid Sign", "data": []}, "401 Unauthorized")
    if book.sick.get(number) == "revoked":
        book.refused += path == "/api/v5/trade/order"
        return _said(
            {"code": "50111", "msg": "Invalid OK-ACCESS-KEY", "data": []}, "401 Unauthorized"
        )
    if method == "POST" and path == "/api/v5/trade/order":
        return _place(book, number, headers, json.loads(body), arrived)
    return _private(book, method, path, key, body)


def _is_signed(number: int, method: str, path: str, headers: dict[str, str], body: bytes) -> bool:
    text = headers.get("ok-access-timestamp", "") + method + path + body.decode()
    signed = headers.get("ok-access-sign", "") == keys.signature(keys.secret(number), text)
    return signed and headers.get("ok-access-passphrase") == keys.PASSPHRASE


def _place(
    book: Book, number: int, headers: dict[str, str], order: dict[str, Any], arrived: int
) -> Answer:
    name = order["clOrdId"]
    place = (keys.api_key(number), name)
    expires = headers.get("exptime")
    if expires and int(expires) < time.time() * 1000:
        book.expired += 1
        return _row_refused(name, "50036", "expTime is earlier than the current system time")
    if place in book.entries:
        book.doubled += 1
        return _row_refused(name, "51016", "Client order ID already exists")
    if book.sick.get(number) == "broke":
        book.refused += 1
        return _row_refused(name, "51008", "Order failed. Insufficient USDT margin in account")
    entry = book.entries[place] = Entry(arrived, number)
    row = {"clOrdId": name, "ordId": f"{arrived}{number:06d}", "tag": "", "ts": _now_ms()}
    row |= {"sCode": "0", "sMsg": ""}
    data = _said({"code": "0", "msg": "", "data": [row]}).data
    return Answer(data, entry, SLOW_S if book.sick.get(number) == "slow" else 0)


def _row_refused(name: str, code: str, words: str) -> Answer:
    row = {"clOrdId": name, "ordId": "", "tag": "", "ts": _now_ms(), "sCode": code, "sMsg": words}
    return _said({"code": "1", "msg": "All operations failed", "data": [row]})


def _public(path: str) -> Answer:
    rows: list[dict[str, str]] = []
    if "/public/time" in path:
        rows = [{"ts": _now_ms()}]
    elif "/public/instruments" in path and "instType=SWAP" in path:
        rows = [SWAP]
    return _said({"code": "0", "msg": "", "data": rows})


def _private(book: Book, method: str, path: str, key: str, body: bytes) -> Answer:
    if path.endswith("/account/set-leverage"):
        return _said({"code": "0", "msg": "", "data": [json.loads(body)]})
    question = path.partition("?")[2]
    asked = dict(pair.split("=", 1) for pair in question.split("&") if "=" in pair)
    if "/account/leverage-info" in path:
        row = {"instId": asked.get("instId", ""), "lever": "1", "posSide": "net"}
        return _said({"code": "0", "msg": "", "data": [row | {"mgnMode": asked.get("mgnMode")}]})
    if method == "GET" and path.startswith("/api/v5/trade/order?"):
        return _looked_up(book, key, asked.get("clOrdId", ""))
    return _said({"code": "0", "msg": "", "data": []})


def _looked_up(book: Book, key: str, name: str) -> Answer:
    entry = book.entries.get((key, name))
    if entry is None:
        return _said({"code": "51603", "msg": "Order does not exist", "data": []})
    row = {
        "instType": "SWAP",
        "instId": keys.INST_ID,
        "clOrdId": name,
        "ordId": f"{entry.arrived_ns}{entry.number:06d}",
        "state": "filled",
        "side": "buy",
        "posSide": "net",
        "tdMode": "cross",
        "ordType": "market",
        "sz": "1",
        "px": "",
        "accFillSz": "1",
        "avgPx": "60000",
        "fee": "-0.3",
        "feeCcy": "USDT",
        "pnl": "0",
        "lever": "1",
        "reduceOnly": "false",
        "cTime": _now_ms(),
        "uTime": _now_ms(),
    }
    return _said({"code": "0", "msg": "", "data": [row]})


def _said(envelope: dict[str, Any], status: str = "200 OK") -> Answer:
    text = json.dumps(envelope, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\nConnection: keep-alive\r\n\r\n"
    )
    return Answer(head.encode() + text)


def _now_ms() -> str:
    return str(time.time_ns() // 1_000_000)
