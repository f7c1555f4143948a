"""Codes about the call itself: who calls, how often, and what the body is."""

from __future__ import annotations

import time
from typing import Final

from tests.simulator.client import SPOT, SWAP, Client, Simulator, iso, order
from tests.simulator.codes.asking import Case, asking, code_of, faulty, trader

ORDER: Final = "/api/v5/trade/order"


def _limited(simulator: Simulator) -> str:
    simulator.ask("POST", "/limits", {"mode": "okx"})
    client = trader(simulator)
    answers = [client.get("account/config") for _ in range(6)]
    assert [each.code for each in answers[:5]] == ["0"] * 5
    return code_of(answers[5])


def _too_many_orders(simulator: Simulator) -> str:
    """Batches over four instruments pass 300 orders each, but not 1,000 together."""
    simulator.ask("POST", "/limits", {"mode": "okx"})
    client = trader(simulator)
    items = [
        [{"instId": inst_id}] * 20 for inst_id in (SWAP, SPOT, "ETH-USDT", "ETH-USDT-SWAP") * 13
    ]
    answers = [client.post("trade/batch-orders", each) for each in items[:51]]
    assert all(each.code == "1" for each in answers[:50])
    return code_of(answers[50])


def _expired_inside(simulator: Simulator) -> str:
    simulator.ask("POST", "/latency", {"ms": 200})
    client = trader(simulator)
    code = code_of(client.post("trade/order", order(), expTime=str(int(time.time() * 1000) + 100)))
    simulator.ask("POST", "/latency", {"ms": 0})
    assert client.get("trade/fills").data == []
    return code


def _late(simulator: Simulator) -> str:
    fault = {"match": {"path": ORDER}, "fault": "late_accept:10", "times": 1}
    simulator.ask("POST", "/faults", fault)
    return code_of(trader(simulator).order())


def _all_failed(simulator: Simulator) -> str:
    return trader(simulator).order(sz="0.001").code


def _some_failed(simulator: Simulator) -> str:
    return trader(simulator).post("trade/batch-orders", [order(), order(sz="0")]).code


def _raw(body: bytes) -> Case:
    return asking(lambda client: client.call("POST", ORDER, body))


def _header(**headers: str | None) -> Case:
    return asking(lambda client: client.get("account/config", **headers))


def _stale(client: Client) -> str:
    return iso(time.time() - 31)


CASES: Final[dict[str, Case]] = {
    "1": _all_failed,
    "2": _some_failed,
    "404": asking(lambda client: client.get("account/no-such-thing")),
    "50000": _raw(b""),
    "50002": _raw(b"{"),
    "50004": _late,
    "50006": asking(lambda client: client.post("trade/order", order(), Content_Type="text/plain")),
    "50011": _limited,
    "50014": asking(lambda client: client.get("account/leverage-info", {"mgnMode": "cross"})),
    "50025": asking(lambda client: client.get("account/balance", {"ccy": ",".join(["USDT"] * 21)})),
    "50026": faulty("50026"),
    "50036": asking(lambda client: client.post("trade/order", order(), expTime="1597026383085")),
    "50037": _expired_inside,
    "50061": _too_many_orders,
    "50101": asking(lambda client: client.get("account/config"), env="demo"),
    "50102": asking(lambda client: client.get("account/config", timestamp=_stale(client))),
    "50103": _header(OK_ACCESS_KEY=None),
    "50104": _header(OK_ACCESS_PASSPHRASE=None),
    "50105": _header(OK_ACCESS_PASSPHRASE="wrong"),
    "50106": _header(OK_ACCESS_SIGN=None),
    "50107": _header(OK_ACCESS_TIMESTAMP=None),
    "50110": asking(lambda client: client.get("account/config"), ip="10.1.2.3"),
    "50111": _header(OK_ACCESS_KEY="nobody"),
    "50112": _header(timestamp="yesterday"),
    "50113": _header(OK_ACCESS_SIGN="wrong"),
    "50115": asking(lambda client: client.get("account/set-leverage")),
    "50120": asking(lambda client: client.order(), perm="read_only"),
}
