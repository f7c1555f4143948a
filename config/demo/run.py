"""The demo from start to end: processes, desks, one signed webhook, the outcome, and on."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from config.demo.http import Answer, call
from config.demo.processes import DemoError, Household, children_environ, free_port, is_free
from config.demo.report import Report, ledger_end, make_report
from config.demo.world import (
    FOLLOWERS,
    INSTRUMENT,
    Follower,
    World,
    derived,
    make_world,
    unverified,
)
from signals.enums import SignalStatus
from signals.models import LeaderPosition, Signal
from trading.models import Cycle, Heartbeat, MarketPrice, Order, StreamLease

DEFAULT_PORT = 8000
Say = Callable[[str], None]


class Demo:
    """One run. `start` brings everything up, `show` sends the signal, `stop` ends all."""

    def __init__(
        self, *, port: int | None, say: Say, followers: Mapping[str, Follower] = FOLLOWERS
    ) -> None:
        self.folder = Path(settings.VAR_DIR)
        self.say = say
        self.port = _web_port(port)
        self.household = Household(self.folder / "logs", {})
        self.addresses: dict[str, str] = {}
        self.flower = ""
        self.started_at = timezone.now()
        self.followers = followers
        # What the streams process is told besides: a benchmark opens its sockets faster.
        self.of_streams: tuple[str, ...] = ()
        self.world: World | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Bring up the exchange, the desks and every process. Raises DemoError."""
        if not is_free(self.port):
            raise DemoError(f"port {self.port} is taken: choose another with PORT=")
        self.household.folder.mkdir(parents=True, exist_ok=True)
        self._forget_messages()
        self.say("preparing the database")
        call_command("migrate", verbosity=0, interactive=False)
        Heartbeat.objects.all().delete()
        self.say("starting the simulated exchange")
        simulator = Household(self.household.folder, children_environ(_nowhere()))
        self.household.children = simulator.children
        self.addresses = simulator.start_simulator(self.folder / "simulator.jsonl")
        self.household.environ = children_environ(self.addresses)
        # The simulator has just chosen its ports; this process opens the paper accounts.
        settings.SIMULATOR_CONTROL_URL = self.addresses["control"]
        self.say("making two desks with their customers")
        self.world = make_world(self.followers)
        self._start_processes()
        self._wait_until_ready()

    def show(self) -> tuple[str, Report]:
        """Send a signed opening and wait until every order is final."""
        world = self._world()
        self._close_what_is_left(world)
        before = ledger_end(self.addresses["control"])
        quantity = {"mode": "base", "value": "0.8"}
        signal_id = self.send(world, intent="open", quantity=quantity, leverage="2")
        self.wait_for_orders(world, signal_id)
        report = make_report(
            world, signal_id, control_url=self.addresses["control"], ledger_from=before
        )
        return signal_id, report

    def urls(self) -> dict[str, str]:
        urls = {
            "admin": f"{self.base_url}/admin/",
            "portal": f"{self.base_url}/portal/",
            "api": f"{self.base_url}/api/v1/",
            "api_docs": f"{self.base_url}/api/docs/",
            "webhook": f"{self.base_url}/hooks/{self._world().source.uid}/",
            "simulator_rest": self.addresses["rest"],
            "simulator_control": self.addresses["control"],
        }
        return urls | ({"flower": self.flower} if self.flower else {})

    def stop(self) -> None:
        self.household.stop()

    def _world(self) -> World:
        if self.world is None:
            raise DemoError("the demo was not started")
        return self.world

    def _forget_messages(self) -> None:
        """Nudges of an earlier run: the sweep finds what they were about."""
        for folder in ("queue", "control"):
            shutil.rmtree(self.folder / "broker" / folder, ignore_errors=True)
            (self.folder / "broker" / folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _start_processes(self) -> None:
        python, house = sys.executable, self.household
        celery = (python, "-m", "celery", "-A", "config")
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "warning")
        house.start(
            "web",
            *(python, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)),
            *("--ping-interval", "10", "--ping-timeout", "10"),
            *("--websocket-max-message-size", "16384", "--websocket-max-frame-size", "16384"),
            "config.asgi:application",
        )
        events = ("-E",) if settings.REDIS_URL else ()
        house.start(
            "worker",
            *(*celery, "worker", "-P", "threads", "-c", "8"),
            *("-Q", "default,executor", *events, *quiet),
        )
        house.start("streams", python, "manage.py", "run_streams", *self.of_streams)
        schedule = str(self.folder / "beat.pid")
        Path(schedule).unlink(missing_ok=True)
        house.start("beat", *celery, "beat", "-l", "warning", "--pidfile", schedule)
        if settings.REDIS_URL:
            self._start_flower(celery)

    def _start_flower(self, celery: tuple[str, ...]) -> None:
        login = f"operator:{derived('flower', 12)}"
        port = free_port()
        self.household.start(
            "flower",
            *(*celery, "flower", "--conf=deploy/flowerconfig.py"),
            *("--address=127.0.0.1", f"--port={port}"),
            f"--basic-auth={login}",
        )
        self.flower = f"http://127.0.0.1:{port}/"
        self._world().logins["flower"] = tuple(login.split(":", 1))  # type: ignore[assignment]

    def _wait_until_ready(self) -> None:
        wait = self.household.wait_for
        self.say("waiting for the web server")
        wait("the web server", lambda: call("GET", f"{self.base_url}/livez").ok, 60)
        self.say("waiting for the worker, the market and the private sockets")
        wait("the worker", self._worker_is_up, 60)
        wait("fresh prices", self._market_is_fresh, 60)
        self.say("checking the API keys")
        wait("the key checks", lambda: not unverified(Tenant.objects.all()), 60)
        wait("the private sockets", self._sockets_are_open, 60)

    def _worker_is_up(self) -> bool:
        return Heartbeat.objects.filter(kind="executor", beat_at__gte=self.started_at).exists()

    def _market_is_fresh(self) -> bool:
        price = MarketPrice.objects.filter(market="simulator", inst_id=INSTRUMENT).first()
        return (
            price is not None
            and price.mark_at is not None
            and price.mark_at > self.started_at
            and not price.is_stale(timezone.now(), settings.MARK_STALE_AFTER_S)
        )

    def _sockets_are_open(self) -> bool:
        rows = StreamLease.objects.filter(changed_at__gte=self.started_at)
        states = list(rows.values_list("state", flat=True))
        return bool(states) and all(state == "live" for state in states)

    def _close_what_is_left(self, world: World) -> None:
        """Positions of an earlier run are closed first, so that each run opens from flat."""
        with tenant_scope(world.tenant):
            lead = LeaderPosition.objects.filter(source=world.source, inst_id=INSTRUMENT)
            held = {row.direction for row in lead if row.quantity > 0}
            running = Cycle.objects.filter(source=world.source, ended_at__isnull=True)
            held |= set(running.filter(inst_id=INSTRUMENT).values_list("direction", flat=True))
        for direction in sorted(held):
            self.say(f"closing the {direction} position of an earlier run")
            signal_id = self.send(world, intent="close", direction=direction)
            self.wait_for_orders(world, signal_id)
            self.household.wait_for("the cycles to end", lambda: self._is_flat(world), 30)

    def _is_flat(self, world: World) -> bool:
        with tenant_scope(world.tenant):
            running = Cycle.objects.filter(source=world.source, ended_at__isnull=True)
            return not running.filter(inst_id=INSTRUMENT).exists()

    def send(self, world: World, *, direction: str = "long", **terms: Any) -> str:
        """Send a webhook as any sender would; the signal's id."""
        now = datetime.now(UTC)
        body = json.dumps(
            {
                "id": f"demo-{secrets.token_hex(8)}",
                "time": now.isoformat(),
                "instrument": INSTRUMENT,
                "direction": direction,
                **terms,
            }
        ).encode()
        answer = call("POST", self.urls()["webhook"], body, signed(world.secret, body))
        if not answer.ok:
            raise DemoError(f"the webhook answered {answer.status}: {_words(answer)}")
        signal_id: str = answer.json()["signal_id"]
        self.say(f"sent {terms['intent']} {direction} {INSTRUMENT}: {answer.status}")
        return signal_id

    def wait_for_orders(self, world: World, signal_id: str) -> None:
        def is_done() -> bool:
            with tenant_scope(world.tenant):
                signal = Signal.objects.get(pk=signal_id)
                if signal.status == SignalStatus.ACCEPTED:
                    return False
                return not Order.objects.filter(signal=signal).open().exists()

        self.household.wait_for("every order to be final", is_done, 60)


def _web_port(wanted: int | None) -> int:
    """The port asked for; 0 asks for any, and without a wish 8000 is taken while it is free."""
    if wanted is None and is_free(DEFAULT_PORT):
        return DEFAULT_PORT
    return wanted or free_port()


def signed(secret: str, body: bytes) -> dict[str, str]:
    """The three headers of a signed webhook."""
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    text = f"{timestamp}.{nonce}.".encode() + body
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {
        "X-Copydesk-Timestamp": timestamp,
        "X-Copydesk-Nonce": nonce,
        "X-Copydesk-Signature": f"v1={digest}",
    }


def _words(answer: Answer) -> str:
    return answer.body.decode(errors="replace")[:300]


def _nowhere() -> dict[str, str]:
    """Until the simulator has said where it is."""
    return {
        "rest": settings.SIMULATOR_REST_URL,
        "ws": settings.SIMULATOR_WS_URL,
        "control": settings.SIMULATOR_CONTROL_URL,
    }
