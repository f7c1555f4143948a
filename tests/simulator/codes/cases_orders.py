"""Codes about orders and positions."""

from __future__ import annotations

from typing import Any, Final

from tests.simulator.client import SPOT, SWAP, Answer, Client, Simulator, order
from tests.simulator.codes.asking import Case, asking, code_of, faulty_row, trader

FAR: Final = "61000"


def _order(**terms: Any) -> Case:
    return asking(lambda client: client.order(**terms))


def _rest(client: Client, **terms: Any) -> str:
    """A resting order; its id."""
    answer = client.order(**{"ordType": "limit", "px": FAR, **terms})
    assert answer.code == "0", answer.body
    return str(answer.row["ordId"])


def _after(first: Any, then: Any) -> Case:
    """An order that must pass, then the call that must not."""

    def ask(client: Client) -> Answer:
        answer = client.order(**first)
        assert answer.code == "0", answer.body
        made: Answer = then(client)
        return made

    return asking(ask)


def _amend(client: Client, **terms: Any) -> Answer:
    return client.post("trade/amend-order", {"instId": SWAP, **terms})


def _cancel(client: Client, **terms: Any) -> Answer:
    return client.post("trade/cancel-order", {"instId": SWAP, **terms})


def _close(client: Client, **terms: Any) -> Answer:
    return client.post("trade/close-position", {"instId": SWAP, "mgnMode": "cross", **terms})


def _twice(client: Client) -> Answer:
    _rest(client, clOrdId="same")
    return client.order(clOrdId="same")


def _amend_filled(client: Client) -> Answer:
    return _amend(client, ordId=client.order().row["ordId"], newSz="2")


def _amend_nothing(client: Client) -> Answer:
    return _amend(client, ordId=_rest(client))


def _amend_to_too_much(client: Client) -> Answer:
    return _amend(client, ordId=_rest(client), newSz="100000")


def _amend_across(client: Client) -> Answer:
    ord_id = _rest(client, ordType="post_only")
    return _amend(client, ordId=ord_id, newPx="64500")


def _close_while_closing(client: Client) -> Answer:
    client.order()
    _rest(client, side="sell", px="66000", reduceOnly=True)
    return _close(client)


def _crowded(simulator: Simulator) -> str:
    """The 501st order of an instrument."""
    client = trader(simulator, balances={"USDT": "10000000"})
    item = order(ordType="limit", px=FAR, sz="0.01")
    for _ in range(25):
        assert client.post("trade/batch-orders", [item] * 20).code == "0"
    return code_of(client.order(**item))


def _suspended(simulator: Simulator) -> str:
    assert simulator.ask("POST", "/suspend", {"LTC-USDT": True}).status == 200
    code = code_of(trader(simulator).order(instId="LTC-USDT"))
    simulator.ask("POST", "/suspend", {"LTC-USDT": False})
    return code


def _blocked(simulator: Simulator) -> str:
    client = trader(simulator)
    simulator.ask("PATCH", f"/accounts/{client.key}", {"frozen": True})
    return code_of(client.order())


def _amend_many(client: Client, names: list[str]) -> Answer:
    items = [{"instId": SWAP, "ordId": name, "newSz": "2"} for name in names]
    return client.post("trade/amend-batch-orders", items)


CASES: Final[dict[str, Case]] = {
    "51000": _order(ordType="whatever"),
    "51001": _order(instId="NO-SUCH-SWAP"),
    "51003": asking(lambda client: client.get("trade/order", {"instId": SWAP})),
    "51006": _order(ordType="limit", px="90000"),
    "51008": _order(sz="10000"),
    "51010": asking(lambda client: client.order(), acct_lv="1"),
    "51015": asking(
        lambda client: client.get("account/trade-fee", {"instType": "SPOT", "instId": SWAP})
    ),
    "51016": asking(_twice),
    "51020": _order(instId=SPOT, side="sell", sz="0.00000001"),
    "51022": _suspended,
    "51023": asking(_close),
    "51024": _blocked,
    "51101": _order(ordType="limit", px=FAR, sz="1000000000"),
    "51102": _crowded,
    "51111": asking(lambda client: client.post("trade/batch-orders", [order()] * 21)),
    "51112": _after({}, lambda client: client.order(side="sell", sz="2", reduceOnly=True)),
    "51115": asking(_close_while_closing),
    "51121": _order(sz="0.015"),
    "51150": _order(ordType="limit", px="61000.01"),
    "51169": _order(side="sell", reduceOnly=True),
    "51170": _after({}, lambda client: client.order(reduceOnly=True)),
    "51174": faulty_row("51174"),
    "51201": _order(instId=SPOT, sz="100000000"),
    "51202": _order(sz="1000000"),
    "51203": _order(instId=SPOT, ordType="limit", px=FAR, sz="100000000000"),
    "51204": _order(ordType="limit"),
    "51400": asking(lambda client: _cancel(client, ordId="1")),
    "51407": asking(_cancel),
    "51500": asking(_amend_nothing),
    "51501": asking(lambda client: _amend_many(client, [str(each) for each in range(21)])),
    "51502": asking(_amend_to_too_much),
    "51503": asking(_amend_filled),
    "51511": asking(_amend_across),
    "51512": asking(lambda client: _amend_many(client, ["1", "2", "1"])),
    "51603": asking(lambda client: client.get("trade/order", {"instId": SWAP, "ordId": "1"})),
}
