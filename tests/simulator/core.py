"""The pure core with a clock that the test turns: no process, no socket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from trading.simulator.clock import Clock
from trading.simulator.codes import OkxError
from trading.simulator.decimals import plain
from trading.simulator.exchange import Exchange
from trading.simulator.instruments import BY_ID
from trading.simulator.ledger import Ledger
from trading.simulator.market import Market
from trading.simulator.opening import Opening, open_account
from trading.simulator.requests import Params, read_order
from trading.simulator.state import Account, Fill, Order

STARTED_NS = 1_700_000_000_000_000_000
SWAP, SPOT, COIN = "BTC-USDT-SWAP", "BTC-USDT", "BTC-USD-SWAP"


class Core:
    """An exchange whose market stands still until it is pinned, unless it is `moving`.

    With the ledger of another it is that one after a restart, or what its ledger tells.
    """

    def __init__(
        self,
        ledger: Ledger | None = None,
        *,
        seed: int = 3,
        moving: bool = False,
        now: int = STARTED_NS,
        resumed: bool = True,
    ) -> None:
        self.now = now
        self.clock = Clock(lambda: self.now)
        self.market = Market(seed, self.clock.ms(), moving=moving)
        self.exchange = Exchange(self.clock, self.market, ledger or Ledger())
        if resumed:
            self.exchange.resume()

    @property
    def state(self) -> Any:
        return self.exchange.state

    def open(self, key: str, *, mode: str = "net_mode", level: str = "2", **money: str) -> Account:
        held = {ccy: Decimal(amount) for ccy, amount in (money or {"USDT": "100000"}).items()}
        opening = Opening(key, "s", "p", held, acct_lv=level, pos_mode=mode)
        return open_account(self.exchange, opening)[0]

    def order(self, account: Account, *, slices: int = 1, **terms: Any) -> Order:
        """A market buy of one BTC contract with cross margin, unless told otherwise."""
        listed = BY_ID[terms.get("instId", SWAP)]
        made = {
            "instId": listed.inst_id,
            "tdMode": "cash" if listed.is_spot else "cross",
            "side": "buy",
            "ordType": "limit" if "px" in terms else "market",
            "sz": "1",
        }
        return self.exchange.place(account, read_order(Params(made | terms)), slices)

    def refused(self, account: Account, **terms: Any) -> str:
        """The code of the refusal, which left no entry behind."""
        before = self.exchange.ledger.last_seq
        try:
            self.order(account, **terms)
        except OkxError as error:
            assert self.exchange.ledger.last_seq == before
            return error.code
        raise AssertionError("the order was accepted")

    def pin(self, price: str, inst_id: str = SWAP) -> None:
        """As the control API does it: pin, record, and let everything follow."""
        self.wait(250)
        now = self.clock.ms()
        self.market.pin(inst_id, Decimal(price), now)
        entry = {"kind": "price", "ts": now, "inst_id": inst_id, "px": plain(Decimal(price))}
        self.exchange.record(entry)
        self.exchange.follow([inst_id])

    def wait(self, ms: int) -> None:
        self.now += ms * 1_000_000

    def fills(self, account: Account, order: Order) -> list[Fill]:
        return [fill for fill in account.fills if fill.ord_id == order.ord_id]


def told(order: Order) -> tuple[str, str, str]:
    """State, cancel source and filled size."""
    return order.state, order.cancel_source, plain(order.filled)
