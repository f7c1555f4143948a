"""A plain OKX client and the handle of a running simulator, written without our adapter."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlparse

import aiohttp

ROOT = Path(__file__).resolve().parents[2]
SWAP = "BTC-USDT-SWAP"
SPOT = "BTC-USDT"


def signature(secret: str, text: str, body: bytes = b"") -> str:
    digest = hmac.new(secret.encode(), text.encode() + body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def iso(at: float | None = None) -> str:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def data(self) -> Any:
        return self.body["data"]

    @property
    def row(self) -> Any:
        return self.body["data"][0]


@dataclass
class Simulator:
    """A process of its own; stopped by its id."""

    process: subprocess.Popen[str]
    rest: str
    ws: dict[str, str]
    control: str
    tls: dict[str, Any] = field(default_factory=dict)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """The control API."""
        data = None if body is None else json.dumps(body).encode()
        return send(self.control, method, path, data, {"Content-Type": "application/json"})

    def account(self, key: str, **options: Any) -> Client:
        body = {
            "key": key,
            "secret": f"{key}-secret",
            "passphrase": f"{key}-pass",
            "balances": {"USDT": "100000"},
        }
        answer = self.ask("POST", "/accounts", body | options)
        assert answer.status == 200, answer.body
        return Client(self, key, body["secret"], body["passphrase"])

    def entries(self, **match: Any) -> list[dict[str, Any]]:
        found = self.ask("GET", "/ledger?after=0").body["entries"]
        return [each for each in found if match.items() <= each.items()]


@dataclass
class Client:
    """Signs by hand; every header can be replaced or left out (None)."""

    simulator: Simulator
    key: str
    secret: str
    passphrase: str
    headers: dict[str, str | None] = field(default_factory=dict)

    def get(self, path: str, params: dict[str, str] | None = None, **headers: Any) -> Answer:
        query = f"?{urlencode(params)}" if params else ""
        return self.call("GET", f"/api/v5/{path}{query}", b"", **headers)

    def post(self, path: str, body: Any, **headers: Any) -> Answer:
        return self.call("POST", f"/api/v5/{path}", json.dumps(body).encode(), **headers)

    def call(self, method: str, path: str, body: bytes, **headers: Any) -> Answer:
        timestamp = headers.pop("timestamp", iso())
        made: dict[str, str | None] = {
            "OK-ACCESS-KEY": self.key,
            "OK-ACCESS-SIGN": signature(self.secret, timestamp + method + path, body),
            "OK-ACCESS-TIMESTAMP": timestamp,
            "OK-ACCESS-PASSPHRASE": self.passphrase,
            "Content-Type": "application/json",
            **self.headers,
        }
        made |= {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {name: value for name, value in made.items() if value is not None}
        return send(self.simulator.rest, method, path, body or None, kept)

    def order(self, **terms: Any) -> Answer:
        return self.post("trade/order", order(**terms))

    def balance(self, ccy: str = "USDT") -> Any:
        return self.get("account/balance", {"ccy": ccy}).row["details"][0]

    def login(self, at: Any = None) -> dict[str, Any]:
        timestamp = str(int(time.time())) if at is None else at
        text = f"{timestamp}GET/users/self/verify"
        arg = {
            "apiKey": self.key,
            "passphrase": self.passphrase,
            "timestamp": timestamp,
            "sign": signature(self.secret, text),
        }
        return {"op": "login", "args": [arg]}


class Socket:
    """A WebSocket that reads JSON frames and remembers what it skipped."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[Any] = []

    async def say(self, frame: Any) -> None:
        text = frame if isinstance(frame, str) else json.dumps(frame)
        await self.socket.send_str(text)

    async def frame(self, within: float = 3) -> Any:
        message = await self.socket.receive(timeout=within)
        assert message.type == aiohttp.WSMsgType.TEXT, message
        read = message.data if message.data == "pong" else json.loads(message.data)
        self.seen.append(read)
        return read

    async def find(self, within: float = 3, **match: Any) -> Any:
        """The next frame with these members; `channel` looks into `arg`."""
        channel = match.pop("channel", None)
        while True:
            read = await self.frame(within)
            if not isinstance(read, dict):
                continue
            fits = all(read.get(name) == value for name, value in match.items())
            if channel is not None:
                fits = fits and "data" in read and read.get("arg", {}).get("channel") == channel
            if fits:
                return read

    async def quiet(self, seconds: float) -> bool:
        try:
            await self.frame(seconds)
        except TimeoutError:
            return True
        return False


def order(**terms: Any) -> dict[str, Any]:
    base = {"instId": SWAP, "tdMode": "cross", "side": "buy", "ordType": "market", "sz": "1"}
    if str(terms.get("instId", SWAP)).endswith("USDT"):
        base["tdMode"] = "cash"
    return base | terms


def send(base: str, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    address = urlparse(base)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=30)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    try:
        read = json.loads(data)
    except ValueError:
        read = data
    return Answer(response.status, read, dict(response.getheaders()))


def start(
    *flags: str, program: Sequence[str] = ("-m", "trading.simulator"), stderr: Any = None
) -> Simulator:
    command = [sys.executable, *program, "--port", "0", "--control-port", "0", *flags]
    environment = {"COPYDESK_ENV": "test", **os.environ}
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
    )
    assert process.stdout is not None
    addresses = json.loads(process.stdout.readline())
    return Simulator(process, **addresses)
