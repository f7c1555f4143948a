"""What the exchange knows, as a fold over ledger entries.

Every change is written as an entry first and then applied, so that replaying
the ledger after a restart gives the same accounts, orders and positions.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from trading.simulator.algo_state import Algo, Attached, Origin
from trading.simulator.decimals import ZERO
from trading.simulator.resting import Resting

Entry = dict[str, Any]

HISTORY_KEPT: Final = 5_000
TRANSFERS_KEPT: Final = 500
OPEN_STATES: Final = ("live", "partially_filled")
PositionKey = tuple[str, str, str]
Payment = tuple[str, PositionKey, int]


@dataclass(slots=True)
class Order:
    account: str
    inst_id: str
    ord_id: str
    cl_ord_id: str
    tag: str
    side: str
    pos_side: str
    td_mode: str
    ord_type: str
    sz: Decimal
    px: Decimal | None
    tgt_ccy: str
    reduce_only: bool
    lever: str
    ccy: str
    category: str
    c_time: int
    u_time: int
    state: str = "live"
    filled: Decimal = ZERO
    paid: Decimal = ZERO
    fee: Decimal = ZERO
    fee_ccy: str = ""
    pnl: Decimal = ZERO
    fill_px: Decimal | None = None
    fill_sz: Decimal = ZERO
    fill_time: int = 0
    trade_id: str = ""
    cancel_source: str = ""
    req_id: str = ""
    amended: bool = False
    attached: tuple[Attached, ...] = ()
    armed: bool = False
    origin: Origin | None = None
    stp_mode: str = "cancel_maker"
    frozen: tuple[Decimal, Decimal] | None = field(default=None, compare=False, repr=False)

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES

    @property
    def remaining(self) -> Decimal:
        return self.sz - self.filled

    @property
    def position_key(self) -> PositionKey:
        """The position that it opens, closes or changes."""
        return self.inst_id, self.td_mode, self.pos_side


@dataclass(frozen=True, slots=True)
class Fill:
    account: str
    inst_id: str
    ord_id: str
    cl_ord_id: str
    tag: str
    trade_id: str
    bill_id: str
    side: str
    pos_side: str
    mgn_mode: str
    exec_type: str
    sub_type: str
    sz: Decimal
    px: Decimal
    mark: Decimal
    fee: Decimal
    fee_ccy: str
    fee_rate: Decimal
    pnl: Decimal
    ts: int

    @property
    def is_spot(self) -> bool:
        return not self.inst_id.endswith("-SWAP")


@dataclass(frozen=True, slots=True)
class Bill:
    """One change of one balance; `kind` and `sub_type` are OKX's numbers.

    `pos_bal` is what the isolated position holds afterwards.
    """

    bill_id: str
    ts: int
    ccy: str
    kind: str
    sub_type: str
    bal_chg: Decimal
    bal: Decimal
    pos_bal_chg: Decimal = ZERO
    pos_bal: Decimal = ZERO
    sz: Decimal = ZERO
    px: Decimal | None = None
    pnl: Decimal = ZERO
    fee: Decimal = ZERO
    inst_id: str = ""
    mgn_mode: str = ""
    ord_id: str = ""
    cl_ord_id: str = ""
    tag: str = ""
    trade_id: str = ""
    exec_type: str = ""
    mark: Decimal | None = None
    source: str = ""
    target: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Between funding and trading account; positive went into trading, `left` stays in funding."""

    trans_id: str
    client_id: str
    ccy: str
    amount: Decimal
    left: Decimal
    ts: int


@dataclass(slots=True)
class Position:
    """`qty` is signed in every mode (short is negative); `cost` is its signed value.

    `opened_cost` and `closed_cost` are values of all that was opened and closed.
    """

    inst_id: str
    mgn_mode: str
    pos_side: str
    pos_id: str
    c_time: int
    u_time: int
    qty: Decimal = ZERO
    cost: Decimal = ZERO
    margin: Decimal = ZERO
    pnl: Decimal = ZERO
    fee: Decimal = ZERO
    funding: Decimal = ZERO
    trade_id: str = ""
    opened: Decimal = ZERO
    opened_cost: Decimal = ZERO
    closed: Decimal = ZERO
    closed_cost: Decimal = ZERO
    largest: Decimal = ZERO
    direction: str = ""
    closed_by: str = ""


@dataclass(slots=True)
class Account:
    key: str
    secret: str
    passphrase: str
    uid: str
    label: str
    acct_lv: str
    pos_mode: str
    perm: str
    ip: str
    env: str
    frozen: bool = False
    balances: dict[str, Decimal] = field(default_factory=dict)
    levers: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[PositionKey, Position] = field(default_factory=dict)
    closed: list[Position] = field(default_factory=list)
    pending: dict[str, Order] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    ended: deque[str] = field(default_factory=deque)
    by_client_id: dict[tuple[str, str], Order] = field(default_factory=dict)
    client_ids: set[str] = field(default_factory=set)
    algos: dict[str, Algo] = field(default_factory=dict)
    live_algos: dict[str, Algo] = field(default_factory=dict)
    ended_algos: deque[str] = field(default_factory=deque)
    fills: list[Fill] = field(default_factory=list)
    bills: deque[Bill] = field(default_factory=lambda: deque(maxlen=HISTORY_KEPT))
    wallet: dict[str, Decimal] = field(default_factory=dict)
    transfers: deque[Transfer] = field(default_factory=lambda: deque(maxlen=TRANSFERS_KEPT))
    greeks_type: str = "PA"
    auto_loan: bool = False
    u_time: int = 0

    def lever(self, inst_id: str, mgn_mode: str, pos_side: str) -> Decimal:
        return self.levers.get(lever_key(inst_id, mgn_mode, pos_side), Decimal(3))

    def open_positions(self) -> list[Position]:
        return [position for position in self.positions.values() if position.qty]


def lever_key(inst_id: str, mgn_mode: str, pos_side: str) -> str:
    """Leverage is kept per instrument and margin mode; by side only when isolated."""
    by_side = mgn_mode == "isolated" and pos_side in ("long", "short")
    return "|".join((inst_id, mgn_mode, pos_side if by_side else "net"))


@dataclass(slots=True)
class State:
    """Accounts by API key, and the exchange's own side of every payment.

    `holders` are the open positions by instrument, `algos` the live ones; `countdowns`
    are the times at which orders of an account and tag (or of all tags) are canceled;
    `kept` is how many ended orders, fills, closed positions and bills an account keeps;
    with `keeps_names` the client order ids of those it forgets stay taken;
    `funded` are the funding payments since the time until which all are settled.
    """

    kept: int = HISTORY_KEPT
    accounts: dict[str, Account] = field(default_factory=dict)
    house: dict[str, Decimal] = field(default_factory=dict)
    deposited: dict[str, Decimal] = field(default_factory=dict)
    algos: dict[str, dict[str, Algo]] = field(default_factory=dict)
    countdowns: dict[tuple[str, str], int] = field(default_factory=dict)
    resting: Resting = field(default_factory=Resting)
    holders: dict[str, dict[tuple[str, PositionKey], None]] = field(default_factory=dict)
    funded: set[Payment] = field(default_factory=set)
    funded_until: int = 0
    keeps_names: bool = False

    def held(self, account: Account, key: PositionKey) -> None:
        """Keep the list of who holds which instrument, after the position changed."""
        holders = self.holders.setdefault(key[0], {})
        if account.positions[key].qty:
            holders[(account.key, key)] = None
        else:
            holders.pop((account.key, key), None)

    def total(self, ccy: str) -> Decimal:
        """All money of a currency in the exchange: equals what was deposited."""
        total = self.house.get(ccy, ZERO)
        for account in self.accounts.values():
            total += account.balances.get(ccy, ZERO) + account.wallet.get(ccy, ZERO)
            for position in account.positions.values():
                if position.margin and settle_of(position.inst_id) == ccy:
                    total += position.margin
        return total


def settle_of(inst_id: str) -> str:
    base, quote, *_ = inst_id.split("-")
    return base if quote == "USD" else quote
