"""What the leader does in a day, and what happens around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.journeys.leader.crowd import Crowd
from tests.journeys.leader.judge import standing

if TYPE_CHECKING:
    from tests.chaos.stage import Stage

BTC, ETH, SOL = "BTC-USDT-SWAP", "ETH-USDT-SWAP", "SOL-USDT-SWAP"
MORNING = {BTC: "60000", ETH: "3000", SOL: "150"}
CUT_S = 60
HEARD_S = 120
# Until a price that moved is known to us: a rung is judged by the mark price.
KNOWN_S = 4
SETTLED_S = 180


class Day:
    """The leader trades as from the exchange's own app, and waits until it was followed."""

    def __init__(self, stage: Stage, crowd: Crowd) -> None:
        self.stage, self.crowd = stage, crowd

    def play(self) -> None:
        self.stage.control("POST", "/prices", **MORNING)
        self.stage.wait(lambda: False, KNOWN_S)
        self._opens_and_adds()
        self._rests_and_is_filled()
        self._turns_over()
        self._is_cut_off()
        self._is_liquidated()
        self._ends_the_day()

    def _opens_and_adds(self) -> None:
        self.trade(BTC, "buy", "100")
        self.trade(BTC, "buy", "50")
        self.trade(BTC, "sell", "60")
        self.trade(BTC, "buy", "3.33")
        self.trade(ETH, "sell", "200")

    def _rests_and_is_filled(self) -> None:
        """Orders of its own that rest are not copied; their fills are. The market comes to both
        the leader's and to those that limit copiers laid out."""
        self.trade(ETH, "buy", "80", px="2960")
        self.price(ETH, "2958")
        self.price(ETH, "3050")
        self.price(BTC, "59200")
        self.trade(BTC, "buy", "20")

    def _turns_over(self) -> None:
        """One order from long to short, and back."""
        self.trade(BTC, "sell", "200")
        self.trade(BTC, "buy", "150")

    def _is_cut_off(self) -> None:
        """A minute without the leader's socket: what it trades meanwhile is read over REST."""
        key = self.crowd.leader_key
        self.stage.fault("ws_disconnect", account=key, times=1)
        refused = {"fault": "ws_login:60011", "match": {"account": key}, "for_s": CUT_S}
        self.stage.control("POST", "/faults", **refused)
        self.trade(BTC, "buy", "30")
        self.trade(SOL, "buy", "400")
        self.trade(BTC, "sell", "75")
        self.stage.wait(lambda: not self._is_cut(), CUT_S + 10, 1)
        self.trade(SOL, "buy", "50")

    def _is_cut(self) -> bool:
        rows = self.stage.control("GET", "/faults")["faults"]
        return any(row["kind"] == "ws_login" and row["state"] == "active" for row in rows)

    def _is_liquidated(self) -> None:
        body = {"inst_id": SOL}
        self.stage.control("POST", f"/accounts/{self.crowd.leader_key}/liquidate", **body)
        self.followed()

    def _ends_the_day(self) -> None:
        """Reduced in one, flat in the other, where limit copiers keep nothing resting, and opened
        anew there."""
        self.trade(ETH, "buy", "300")
        self.trade(ETH, "sell", "180")
        self.trade(BTC, "sell", "11.11")
        self.trade(ETH, "buy", "150")

    def price(self, inst_id: str, price: str) -> None:
        self.stage.control("POST", "/prices", **{inst_id: price})
        self.stage.wait(lambda: False, KNOWN_S)

    def trade(self, inst_id: str, side: str, quantity: str, px: str = "") -> None:
        order: dict[str, Any] = {"instId": inst_id, "tdMode": "cross", "side": side, "sz": quantity}
        order |= {"ordType": "limit", "px": px} if px else {"ordType": "market"}
        made = self.stage.control("POST", f"/accounts/{self.crowd.leader_key}/orders", **order)
        self.stage.say(f"leader: {side} {quantity} {inst_id} {px or 'at the market'}")
        if made["sCode"] != "0":
            self.stage.breaks("the leader could not trade", made)
        if not px:
            self.followed()

    def followed(self) -> None:
        """Every change of the leader's position was heard, decided and carried out."""
        if not self.stage.wait(self._is_heard, HEARD_S):
            self.stage.breaks("not heard of the leader", standing(self.stage, self.crowd))
        if not self.stage.wait(lambda: not self.stage.desk.is_busy(), SETTLED_S):
            self.stage.breaks("not followed in time", self.stage.unfinished())

    def _is_heard(self) -> bool:
        there, known = standing(self.stage, self.crowd)
        return there == known
