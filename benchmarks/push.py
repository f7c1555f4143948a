"""Live push under load: readers have no gap, who never reads is closed, memory stays flat.

    python -m benchmarks.push [--seconds 60] [--clients 100] [--silent 20] [--rate 50]

A daphne of its own with its own SQLite file, once with the embedded channel layer and, when
REDIS_URL is set, once with Redis. Latency is from the commit of a change to its frame at the
client, beside a bare channels fan-out through the same layer. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.live_environ import environ

PER_USER = 5
# Well within the server's patience, however busy the machine, and within its limit of messages.
ACK_EVERY_S = 2.0
STREAMS = ("orders", "signals", "positions", "equity")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    seconds: float
    clients: int
    silent: int
    rate: float
    ack_s: float
    bare: bool


@dataclass
class Reader:
    """One browser that reads: what it saw, and whether anything was missing before it."""

    staff: bool
    numbers: dict[str, int] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    gaps: int = 0
    frames: int = 0
    resyncs: int = 0
    code: int | None = None
    acked_at: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("seconds", 60.0), ("clients", 100), ("silent", 20), ("rate", 50.0)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--ack-s", type=float, default=15.0, help="the server's patience")
    parser.add_argument(
        "--bare", action=argparse.BooleanOptionalAction, default=True, help="the plain fan-out too"
    )
    parser.add_argument("--layer", choices=("embedded", "redis"), default=None)
    given = vars(parser.parse_args())
    wanted = given.pop("layer")
    options = Options(**given)
    layers = (
        [wanted] if wanted else ["embedded", *(["redis"] if os.environ.get("REDIS_URL") else [])]
    )
    results = {layer: measure(layer, options) for layer in layers}
    print(json.dumps({"options": vars(options), **results}, indent=2))


def measure(layer: str, options: Options) -> dict[str, Any]:
    """One run in child processes and in this one; everything it made is removed."""
    folder = Path(tempfile.mkdtemp(prefix="copydesk-push-"))
    redis_url = os.environ["REDIS_URL"] if layer == "redis" else ""
    try:
        told = _environ(folder, redis_url) | {
            "PUSH_ACK_S": str(options.ack_s),
            "LOG_LEVEL": "ERROR",
        }
        cookies = json.loads(_python(told, "-c", PREPARE.format(**vars(options))))
        server, port = _serve(told, folder)
        try:
            return asyncio.run(_Run(port, server.pid, told, cookies, options, folder).measure())
        finally:
            server.terminate()
            server.wait(15)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# Staff and customers by turns, five sockets each, and the orders that will change.
PREPARE = """
import django, json; django.setup()
from django.conf import settings
from django.core.management import call_command
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
call_command("migrate", verbosity=0)
from accounts.enums import Role
from tests import factories as make
from tests.live_rows import make_orders
from tests.live_web import session_cookie
tenant, cookies, accounts = make.make_tenant("Bench"), [], []
for n in range(-(-{clients} // 5)):
    user = make.make_user(Role.CUSTOMER if n % 2 else Role.TRADER, tenant=tenant)
    cookies.append(session_cookie(user))
    if n % 2:
        accounts.append(make.make_account(make.make_customer(tenant, portal_user=user)))
accounts = accounts or [make.make_account(make.make_customer(tenant))]
for account in accounts:
    make_orders(account, int({rate} * {seconds}) // len(accounts) + 1)
print(json.dumps(cookies))
"""


@dataclass(frozen=True)
class _Run:
    """One server, and everybody who talks to it."""

    port: int
    pid: int
    told: dict[str, str]
    cookies: list[dict[str, str]]
    options: Options
    folder: Path

    async def measure(self) -> dict[str, Any]:
        options, since = self.options, time.monotonic()
        silent = [
            _never_read(self.port, self.cookies[n // PER_USER]) for n in range(options.silent)
        ]
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            readers, tasks = await self._open(session)
            watch = asyncio.create_task(_watch(self.pid, silent, since))
            await self._write("orders", options.seconds)
            # Long enough for the last frame, and for the patience with who never reads.
            await asyncio.sleep(max(2.0, options.ack_s + 4 - (time.monotonic() - since)))
            watch.cancel()
            memory, closed = await watch
            await _cancel(tasks)
            bare = await self._bare(session, len(readers)) if options.bare else []
        for each in silent:
            each.close()
        return _report(readers, self.folder / "commits", memory, closed, bare)

    async def _open(
        self, session: aiohttp.ClientSession
    ) -> tuple[list[Reader], list[asyncio.Task[None]]]:
        readers, tasks, ready = [], [], []
        for number in range(self.options.silent, self.options.clients):
            user = number // PER_USER
            readers.append(Reader(staff=user % 2 == 0))
            ready.append(asyncio.Event())
            reading = _read(session, self.port, self.cookies[user], readers[-1], ready[-1])
            tasks.append(asyncio.create_task(reading))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in ready)), 60)
        return readers, tasks

    async def _write(self, what: str, seconds: float) -> None:
        """Run the writer to its end."""
        numbers = (str(self.options.rate), str(seconds), str(self.folder / "commits"))
        command = (sys.executable, "-m", "benchmarks.push_writer", what, *numbers)
        writer = await asyncio.create_subprocess_exec(*command, env=self.told, cwd=ROOT)
        assert await writer.wait() == 0

    async def _bare(self, session: aiohttp.ClientSession, readers: int) -> list[float]:
        """Latencies of a plain group_send to as many readers, for up to ten seconds."""
        latencies: list[float] = []
        ready = [asyncio.Event() for _ in range(readers)]

        async def read(event: asyncio.Event) -> None:
            async with session.ws_connect(f"http://127.0.0.1:{self.port}/bare/") as plain:
                event.set()
                async for message in plain:
                    latencies.append(time.time() - json.loads(message.data)["sent"])  # noqa: PERF401

        tasks = [asyncio.create_task(read(event)) for event in ready]
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in ready)), 60)
        await self._write("bare", min(self.options.seconds, 10))
        await asyncio.sleep(1)
        await _cancel(tasks)
        return latencies


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _read(
    session: aiohttp.ClientSession,
    port: int,
    cookie: dict[str, str],
    reader: Reader,
    ready: asyncio.Event,
) -> None:
    headers = _headers(port, cookie)
    async with session.ws_connect(f"http://127.0.0.1:{port}/ws/live/", headers=headers) as live:
        await live.send_json({"subscribe": dict.fromkeys(STREAMS)})
        async for message in live:
            body, now = json.loads(message.data), time.time()
            if "subscribed" in body:
                reader.numbers |= body["subscribed"]
                ready.set()
            elif "resync" in body:
                reader.resyncs += 1
                reader.numbers |= body["seq"]
            elif "beat" not in body:
                _note(reader, body, now)
            if now - reader.acked_at > ACK_EVERY_S:
                reader.acked_at = now
                await live.send_json({"ack": reader.numbers})
        reader.code = live.close_code


def _note(reader: Reader, frame: dict[str, Any], now: float) -> None:
    reader.frames += 1
    reader.gaps += frame["first"] != reader.numbers[frame["stream"]] + 1
    reader.numbers[frame["stream"]] = frame["seq"]
    for item in frame["items"]:
        if item["kind"] == "order":
            reader.seen.setdefault(item["id"], now)


def _never_read(port: int, cookie: dict[str, str]) -> socket.socket:
    """A socket that subscribes and then is silent for ever, with a small window."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", port))
    headers = _headers(port, cookie) | {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    raw.sendall(f"GET /ws/live/ HTTP/1.1\r\n{lines}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += raw.recv(1)
    assert b" 101 " in answer, answer
    text = json.dumps({"subscribe": dict.fromkeys(STREAMS)}).encode()
    raw.sendall(b"\x81" + struct.pack("!B", 0x80 | len(text)) + bytes(4) + text)
    return raw


async def _watch(
    pid: int, silent: list[socket.socket], since: float
) -> tuple[list[int], list[float]]:
    """The server's memory each half second, and when each silent socket was hung up on."""
    poll = select.poll()
    for each in silent:
        poll.register(each, select.POLLRDHUP)
    memory, closed = [], dict[int, float]()
    try:
        while True:
            memory.append(_resident_kib(pid))
            for number, _ in poll.poll(0):
                closed[number] = time.monotonic() - since
                poll.unregister(number)
            await asyncio.sleep(0.5)
    except asyncio.CancelledError:
        return memory, sorted(closed.values())


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _report(
    readers: list[Reader],
    commits: Path,
    memory: list[int],
    closed: list[float],
    bare: list[float],
) -> dict[str, Any]:
    committed = {key: at for at, key in map(json.loads, commits.read_text().splitlines())}
    staff = [reader for reader in readers if reader.staff]
    latencies = [at - committed[key] for r in readers for key, at in r.seen.items()]
    ours, plain = _spread(latencies), _spread(bare)
    return {
        "changes": len(committed),
        "readers": {
            "count": len(readers),
            "gaps": sum(reader.gaps for reader in readers),
            "resyncs": sum(reader.resyncs for reader in readers),
            "closed": [reader.code for reader in readers if reader.code is not None],
            "missed": sum(len(committed.keys() - reader.seen.keys()) for reader in staff),
            "frames_per_second": round(
                statistics.mean(r.frames for r in staff) / max(1.0, _span(committed)), 2
            ),
        },
        "silent": {
            "closed": len(closed),
            "first_s": round(closed[0], 1) if closed else None,
            "last_s": round(closed[-1], 1) if closed else None,
        },
        "rss_mib": {
            "start": round(memory[0] / 1024, 1),
            "max": round(max(memory) / 1024, 1),
            "end": round(memory[-1] / 1024, 1),
        },
        "commit_to_frame_ms": ours,
        "bare_fan_out_ms": plain,
        "ratio": {name: round(ours[name] / plain[name], 1) for name in ours if plain.get(name)},
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    pick = {"p50": 0.5, "p99": 0.99}
    spread = {
        k: round(1000 * ordered[int(share * (len(ordered) - 1))], 1) for k, share in pick.items()
    }
    return spread | {"max": round(1000 * ordered[-1], 1)}


def _span(committed: dict[str, float]) -> float:
    return max(committed.values()) - min(committed.values()) if committed else 0.0


def _headers(port: int, cookie: dict[str, str]) -> dict[str, str]:
    return {"Origin": f"http://127.0.0.1:{port}", "Cookie": f"{cookie['name']}={cookie['value']}"}


def _environ(folder: Path, redis_url: str) -> dict[str, str]:
    return environ(folder, f"sqlite:///{folder / 'push.sqlite3'}", redis_url)


def _python(told: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=told, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.splitlines()[-1]


def _serve(told: dict[str, str], folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = _free_port()
    command = [
        *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0"),
        *("--ping-interval", "10", "--ping-timeout", "10", "benchmarks.push_server:application"),
    ]
    with (folder / "web.log").open("wb") as log:
        server = subprocess.Popen(command, env=told, cwd=ROOT, stdout=log, stderr=log)
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server, port
        time.sleep(0.1)
    server.kill()
    raise SystemExit((folder / "web.log").read_text()[-3000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
