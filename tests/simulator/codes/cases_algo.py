"""Codes about algo orders, attached take profits and stop losses, and countdowns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.simulator.client import SPOT, SWAP, Answer, Client, Simulator
from tests.simulator.codes.asking import Case, asking, code_of, trader

STOP: Final = {"slTriggerPx": "63000", "slOrdPx": "-1"}
PROFIT: Final = {"tpTriggerPx": "66000", "tpOrdPx": "-1"}
OCO: Final = {"ordType": "oco", **STOP, **PROFIT}
RESTING_PROFIT: Final = {"ordType": "oco", **STOP, "tpOrdKind": "limit", "tpOrdPx": "66000"}
WHOLE: Final = {"sz": None, "closeFraction": "1"}
FAR: Final = {"ordType": "limit", "px": "61000"}
SAVED: Final = {"slTriggerPx": "60000", "slOrdPx": "-1"}


def algo(**terms: Any) -> dict[str, Any]:
    """A reduce-only conditional order to sell one contract."""
    base = {
        "instId": SWAP,
        "tdMode": "cross",
        "side": "sell",
        "ordType": "conditional",
        "sz": "1",
        "reduceOnly": True,
    }
    if str(terms.get("instId", SWAP)).endswith("USDT"):
        base |= {"tdMode": "cash", "reduceOnly": None}
    return base | terms


def place(client: Client, **terms: Any) -> Answer:
    return client.post("trade/order-algo", algo(**terms))


def _algo(**terms: Any) -> Case:
    return asking(lambda client: place(client, **terms))


def _spot(**terms: Any) -> Case:
    return _algo(**{"instId": SPOT, "sz": "0.01", **terms})


def _side(side: str, leg: str, price: str, kind: str) -> Case:
    names = {f"{leg}TriggerPx": price, f"{leg}TriggerPxType": kind, f"{leg}OrdPx": "-1"}
    return _algo(side=side, **names)


def _holding(ask: Callable[[Client], Answer], **options: Any) -> Case:
    """With a position of two contracts."""

    def then(client: Client) -> Answer:
        long = {"posSide": "long"} if options else {}
        assert client.order(sz="2", **long).code == "0"
        return ask(client)

    return asking(then, **options)


def _with(*attached: dict[str, Any], **terms: Any) -> Case:
    return asking(lambda client: client.order(attachAlgoOrds=list(attached), **terms))


def _splits(*attached: dict[str, Any], sz: str = "2") -> Case:
    return _with(*attached, **FAR, sz=sz)


def _part(sz: str, price: str, **terms: Any) -> dict[str, Any]:
    return {"tpTriggerPx": price, "tpOrdPx": "-1", "sz": sz, **terms}


def _limit_part(price: str) -> dict[str, Any]:
    return {"tpOrdKind": "limit", "tpOrdPx": price, "sz": "1"}


def _amend(first: dict[str, Any], *, key: str = "algoId", **changes: Any) -> Case:
    def ask(client: Client) -> Answer:
        algo_id = place(client, **first).row["algoId"]
        return client.post("trade/amend-algos", {"instId": SWAP, key: algo_id, **changes})

    return _holding(ask)


def _amend_carried(carried: list[dict[str, Any]], **changes: Any) -> Case:
    def ask(client: Client) -> Answer:
        placed = client.order(attachAlgoOrds=carried, **FAR)
        assert placed.code == "0", placed.body
        body = {"instId": SWAP, "ordId": placed.row["ordId"], **changes}
        return client.post("trade/amend-order", body)

    return asking(ask)


def _cancel_triggered(client: Client) -> Answer:
    algo_id = place(client, slTriggerPx="64000", slOrdPx="-1").row["algoId"]
    return client.post("trade/cancel-algos", [{"instId": SWAP, "algoId": algo_id}])


def _twice(client: Client) -> Answer:
    place(client, **STOP, algoClOrdId="same")
    return place(client, **STOP, algoClOrdId="same")


def _carried_twice(client: Client) -> Answer:
    named = {**SAVED, "attachAlgoClOrdId": "same"}
    client.order(attachAlgoOrds=[named], **FAR)
    return client.order(attachAlgoOrds=[named], **FAR)


def _close_twice(client: Client) -> Answer:
    place(client, **WHOLE, **STOP)
    return place(client, **WHOLE, **STOP)


def _many(most: int, **terms: Any) -> Case:
    def ask(client: Client) -> Answer:
        for _ in range(most):
            assert place(client, **terms).code == "0"
        return place(client, **terms)

    return asking(ask)


def _many_tags(simulator: Simulator) -> str:
    client = trader(simulator)
    answers = [
        client.post("trade/cancel-all-after", {"timeOut": "60", "tag": f"t{number}"})
        for number in range(21)
    ]
    assert [each.code for each in answers[:-1]] == ["0"] * 20
    return code_of(answers[-1])


def _hedged_opening(client: Client) -> Answer:
    return place(client, **WHOLE, **STOP, side="sell", posSide="short", reduceOnly=None)


def _lever(mode: str) -> Case:
    def ask(client: Client) -> Answer:
        terms = {"ordType": "move_order_stop", "callbackRatio": "0.01", "tdMode": mode}
        assert place(client, **terms).code == "0"
        body = {"instId": SWAP, "lever": "7", "mgnMode": mode}
        return client.post("account/set-leverage", body)

    return asking(ask)


CASES: Final[dict[str, Case]] = {
    "51046": _with({"tpTriggerPx": "61000", "tpOrdPx": "-1"}, **FAR),
    "51047": _with({"slTriggerPx": "61000", "slOrdPx": "-1"}, **FAR),
    "51048": _with(PROFIT, side="sell", ordType="limit", px="66000"),
    "51049": _with(
        {"slTriggerPx": "66000", "slOrdPx": "-1"}, side="sell", ordType="limit", px="66000"
    ),
    "51050": _with({"tpTriggerPx": "64000", "tpOrdPx": "-1"}),
    "51051": _with({"slTriggerPx": "64001", "slOrdPx": "-1"}),
    "51052": _with({"tpTriggerPx": "64000", "tpOrdPx": "-1"}, side="sell"),
    "51053": _with({"slTriggerPx": "63000", "slOrdPx": "-1"}, side="sell"),
    "51058": _algo(**WHOLE, **STOP),
    "51065": asking(_twice),
    "51068": asking(_carried_twice),
    "51071": _many_tags,
    "51076": _splits({**_part("1", "66000"), **SAVED}, _part("1", "67000")),
    "51077": _with(_part("1", "66000"), _part("1", "67000"), instId=SPOT, **FAR),
    "51079": _splits(*(_part("1", f"{66000 + number}") for number in range(11)), sz="11"),
    "51080": _splits(_part("1", "66000"), _part("1", "67000", tpTriggerPxType="mark")),
    "51081": _splits(_part("1", "66000"), _part("1", "66000")),
    "51082": _splits(_part("1", "66000"), _part("1", "67000", tpOrdPx="67000")),
    "51083": _splits(_part("1", "66000"), _part("1", "67000"), sz="3"),
    "51084": _splits(SAVED, SAVED),
    "51085": _splits({**SAVED, "amendPxOnTriggerType": "1"}),
    "51088": _holding(_close_twice),
    "51089": _splits(_part("1", "67000"), PROFIT),
    "51090": _amend({**RESTING_PROFIT, "cxlOnClosePos": True}, newSz="2"),
    "51091": _splits(_part("1", "66000"), _limit_part("67000")),
    "51092": _splits(_limit_part("67000"), _limit_part("67000")),
    "51093": _algo(**RESTING_PROFIT | {"tpOrdPx": "-1"}),
    "51094": _spot(**RESTING_PROFIT),
    "51095": _algo(tpOrdKind="limit", tpOrdPx="66000"),
    "51096": _algo(**RESTING_PROFIT),
    "51098": _amend({**RESTING_PROFIT, "cxlOnClosePos": True}, newTpOrdPx="67000"),
    "51178": _with({"attachAlgoClOrdId": "bare"}),
    "51258": _algo(ordType="move_order_stop", callbackRatio="0.01", activePx="64000"),
    "51259": _algo(ordType="move_order_stop", callbackRatio="0.01", activePx="64000", side="buy"),
    "51260": _many(50, ordType="move_order_stop", callbackRatio="0.01"),
    "51261": _many(100, **STOP),
    "51277": _side("buy", "tp", "65000", "last"),
    "51278": _side("buy", "sl", "63000", "last"),
    "51279": _side("sell", "tp", "63000", "last"),
    "51280": _side("sell", "sl", "65000", "last"),
    "51300": _side("buy", "tp", "65000", "mark"),
    "51302": _side("buy", "sl", "63000", "mark"),
    "51303": _side("sell", "tp", "63000", "mark"),
    "51304": _side("sell", "sl", "65000", "mark"),
    "51305": _side("buy", "tp", "65000", "index"),
    "51306": _side("buy", "sl", "63000", "index"),
    "51307": _side("sell", "tp", "63000", "index"),
    "51308": _side("sell", "sl", "65000", "index"),
    "51311": _algo(ordType="move_order_stop", callbackRatio="1.01"),
    "51327": _spot(**WHOLE, **STOP),
    "51328": _algo(**WHOLE, **STOP, reduceOnly=None),
    "51330": _algo(**WHOLE, slTriggerPx="63000", slOrdPx="62900"),
    "51331": asking(_hedged_opening, pos_mode="long_short_mode"),
    "51333": _holding(
        lambda client: client.order(side="sell", reduceOnly=True, attachAlgoOrds=[PROFIT])
    ),
    "51415": _spot(**STOP, slTriggerPxType="mark"),
    "51416": _holding(_cancel_triggered),
    "51523": _amend({**WHOLE, **STOP}, newSlTriggerPx="62000", newSlOrdPx="61900"),
    "51524": _amend({**WHOLE, **STOP}, newSz="1"),
    "51526": _amend(STOP, newTpTriggerPx="66000", newTpOrdPx="-1"),
    "51527": asking(
        lambda client: client.post("trade/amend-algos", {"instId": SWAP, "algoId": "1"})
    ),
    "51531": _amend(STOP, newSlTriggerPx="0"),
    "51538": _amend_carried([SAVED], newSlTriggerPx="60500"),
    "51539": _amend_carried(
        [{**SAVED, "attachAlgoClOrdId": "mine"}],
        attachAlgoOrds=[{"attachAlgoClOrdId": "mine", "newSlTriggerPx": "60500"}] * 2,
    ),
    "59668": _lever("isolated"),
    "59669": _lever("cross"),
}
