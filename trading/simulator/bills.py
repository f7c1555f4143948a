"""Bills: one line for every change of a balance, derived from the entry that made it.

Whoever adds up the changes of a currency gets its balance. Numbers and ids are
those of the entries, so a replayed ledger gives the same bills.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from trading.simulator.decimals import ZERO
from trading.simulator.state import Account, Bill, Entry, Position, State, settle_of

TRANSFER: Final = "1"
TRADE: Final = "2"
LIQUIDATION: Final = "5"
MARGIN: Final = "6"
FUNDING_FEE: Final = "8"
ADL: Final = "9"

FUNDING_ACCOUNT: Final = "6"
TRADING_ACCOUNT: Final = "18"

KINDS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    TRANSFER: ("Transfer", {"11": "Transfer in", "12": "Transfer out"}),
    TRADE: (
        "Trade",
        {
            "1": "Buy",
            "2": "Sell",
            "3": "Open long",
            "4": "Open short",
            "5": "Close long",
            "6": "Close short",
        },
    ),
    LIQUIDATION: (
        "Liquidation",
        {
            "100": "Partial liquidation close long",
            "101": "Partial liquidation close short",
            "102": "Partial liquidation buy",
            "103": "Partial liquidation sell",
            "104": "Liquidation long",
            "105": "Liquidation short",
            "106": "Liquidation buy",
            "107": "Liquidation sell",
            "110": "Liquidation transfer in",
        },
    ),
    MARGIN: (
        "Margin transfer",
        {
            "160": "Manual margin increase",
            "161": "Manual margin decrease",
            "162": "Auto margin increase",
        },
    ),
    FUNDING_FEE: ("Funding fee", {"173": "Funding fee expense", "174": "Funding fee income"}),
    ADL: (
        "ADL",
        {
            "125": "ADL close long",
            "126": "ADL close short",
            "127": "ADL buy",
            "128": "ADL sell",
        },
    ),
}

_FORCED: Final = {
    "partial_liquidation": (LIQUIDATION, 100),
    "full_liquidation": (LIQUIDATION, 104),
    "adl": (ADL, 125),
}


def write(state: State, entry: Entry) -> None:
    """Add the bills of an entry that was just applied; entries without `bill_id` have none."""
    writer = _WRITERS.get(entry["kind"])
    if writer is not None and entry.get("bill_id"):
        writer(state.accounts[entry["account"]], entry)


def second_id(bill_id: str) -> str:
    """A spot trade moves two currencies: ids are even, the second bill has the odd one after."""
    return str(int(bill_id) + 1)


def _fill(account: Account, entry: Entry) -> None:
    """The fill itself was just added to the account: its numbers are shared, not read again."""
    fill = account.fills[-1]
    kind, sub_type = _fill_kind(account, entry)
    swap, bill_id = not fill.is_spot, fill.bill_id
    for ccy, change in entry["changes"].items():
        in_quote = not swap and not fill.inst_id.startswith(f"{ccy}-")
        account.bills.append(
            Bill(
                bill_id=bill_id,
                ts=fill.ts,
                ccy=ccy,
                kind=kind,
                sub_type=sub_type,
                bal_chg=Decimal(change),
                bal=account.balances[ccy],
                pos_bal_chg=_number(entry.get("margin_change", "0")),
                pos_bal=_margin(account, entry) if swap else ZERO,
                sz=fill.sz * fill.px if in_quote else fill.sz,
                px=fill.px,
                pnl=fill.pnl,
                fee=fill.fee if ccy == fill.fee_ccy else ZERO,
                inst_id=fill.inst_id,
                mgn_mode=fill.mgn_mode if swap else "",
                ord_id=fill.ord_id,
                cl_ord_id=fill.cl_ord_id,
                tag=fill.tag,
                trade_id=fill.trade_id,
                exec_type=fill.exec_type,
                mark=fill.mark,
            )
        )
        bill_id = second_id(bill_id)


def _fill_kind(account: Account, entry: Entry) -> tuple[str, str]:
    """Trades keep their sub-type; forced orders count close long, close short, buy, sell."""
    kind, first = _FORCED.get(account.orders[entry["ord_id"]].category, (TRADE, 0))
    if not first:
        return kind, entry["sub_type"]
    bought = entry["side"] == "buy"
    if entry["pos_side"] == "net":
        return kind, str(first + (2 if bought else 3))
    return kind, str(first + (1 if bought else 0))


def _deposit(account: Account, entry: Entry) -> None:
    amount = Decimal(entry["amount"])
    incoming = amount >= 0
    account.bills.append(
        Bill(
            bill_id=entry["bill_id"],
            ts=entry["ts"],
            ccy=entry["ccy"],
            kind=TRANSFER,
            sub_type="11" if incoming else "12",
            bal_chg=amount,
            bal=account.balances[entry["ccy"]],
            sz=amount,
            notes="From Funding Account" if incoming else "To Funding Account",
            source=FUNDING_ACCOUNT if incoming else TRADING_ACCOUNT,
            target=TRADING_ACCOUNT if incoming else FUNDING_ACCOUNT,
        )
    )


def _setting(account: Account, entry: Entry) -> None:
    """A new leverage moved the margin of an isolated position."""
    for pos_side, change in entry.get("margin", {}).items():
        if Decimal(change):
            _margin_bill(account, entry | {"pos_side": pos_side}, Decimal(change))


def _funding(account: Account, entry: Entry) -> None:
    """Isolated positions pay out of their margin: their bill leaves the balance as it is."""
    ccy, amount = settle_of(entry["inst_id"]), Decimal(entry["amount"])
    isolated = entry["mgn_mode"] == "isolated"
    account.bills.append(
        Bill(
            bill_id=entry["bill_id"],
            ts=entry["ts"],
            ccy=ccy,
            kind=FUNDING_FEE,
            sub_type="174" if amount >= 0 else "173",
            bal_chg=ZERO if isolated else amount,
            bal=account.balances.get(ccy, ZERO),
            pos_bal_chg=amount if isolated else ZERO,
            pos_bal=_margin(account, entry),
            sz=abs(Decimal(entry["pos"])),
            px=Decimal(entry["mark"]),
            pnl=amount,
            inst_id=entry["inst_id"],
            mgn_mode=entry["mgn_mode"],
            mark=Decimal(entry["mark"]),
        )
    )


def _margin_moved(account: Account, entry: Entry) -> None:
    _margin_bill(account, entry, Decimal(entry["amount"]))


def _cover(account: Account, entry: Entry) -> None:
    """The insurance fund pays a loss that the account cannot."""
    account.bills.append(
        Bill(
            bill_id=entry["bill_id"],
            ts=entry["ts"],
            ccy=entry["ccy"],
            kind=LIQUIDATION,
            sub_type="110",
            bal_chg=Decimal(entry["amount"]),
            bal=account.balances[entry["ccy"]],
            sz=Decimal(entry["amount"]),
        )
    )


def _margin_bill(account: Account, entry: Entry, added: Decimal) -> None:
    """`added` went from the balance into the isolated position."""
    ccy = settle_of(entry["inst_id"])
    account.bills.append(
        Bill(
            bill_id=entry["bill_id"],
            ts=entry["ts"],
            ccy=ccy,
            kind=MARGIN,
            sub_type="160" if added > 0 else "161",
            bal_chg=-added,
            bal=account.balances[ccy],
            pos_bal_chg=added,
            pos_bal=_margin(account, entry),
            sz=abs(added),
            inst_id=entry["inst_id"],
            mgn_mode=entry["mgn_mode"],
        )
    )


def _number(text: str) -> Decimal:
    """Most are zero: one zero for all of them."""
    return ZERO if text == "0" else Decimal(text)


def _margin(account: Account, entry: Entry) -> Decimal:
    """What the entry's position holds of its own."""
    position = _position(account, entry)
    return position.margin if position is not None else ZERO


def _position(account: Account, entry: Entry) -> Position | None:
    return account.positions.get((entry["inst_id"], entry["mgn_mode"], entry["pos_side"]))


_WRITERS: Final[dict[str, Callable[[Account, Entry], None]]] = {
    "deposit": _deposit,
    "fill": _fill,
    "setting": _setting,
    "transfer": _deposit,
    "funding": _funding,
    "margin": _margin_moved,
    "cover": _cover,
}
