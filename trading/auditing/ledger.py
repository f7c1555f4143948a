"""The simulator's own ledger: read once from end to end, kept on disk by account."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from trading.auditing.facts import FillFact, Holding, TheirOrder, Theirs
from trading.enums import OrderState, PositionSide
from trading.paper import control

PAGE: Final = 2000
Entry = Mapping[str, Any]

_TABLES: Final = """
CREATE TABLE orders (account INTEGER, ord_id TEXT, cl_ord_id TEXT, inst_id TEXT, sz TEXT,
    state TEXT, filled TEXT, accepted INTEGER, changed INTEGER, seq INTEGER,
    PRIMARY KEY (account, ord_id)) WITHOUT ROWID;
CREATE TABLE fills (account INTEGER, ord_id TEXT, cl_ord_id TEXT, trade_id TEXT, inst_id TEXT,
    side TEXT, pos_side TEXT, sz TEXT, px TEXT, fee TEXT, ts INTEGER);
CREATE INDEX fills_of_account ON fills (account);
CREATE TABLE positions (account INTEGER, inst_id TEXT, mgn_mode TEXT, pos_side TEXT, pos TEXT,
    PRIMARY KEY (account, inst_id, mgn_mode, pos_side)) WITHOUT ROWID;
"""


class Ledger:
    """What the entries say of each account. Memory holds one page of them at a time."""

    def __init__(self, database: sqlite3.Connection, accounts: Mapping[str, int]) -> None:
        """`accounts`: our id of each account by the name that the ledger has for it."""
        self._database = database
        self._accounts = accounts
        self._first_seq = 0
        self._first_ms = 0
        self._last_ms = 0
        database.executescript(_TABLES)

    def take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if not self._first_seq:
                self._first_seq, self._first_ms = entry["seq"], entry["ts"]
            self._last_ms = max(self._last_ms, entry["ts"])
            account = self._accounts.get(entry.get("account", ""))
            write = _WRITE.get(entry["kind"])
            if account is not None and write is not None:
                write(self._database, account, entry)
        self._database.commit()

    def theirs(self, account_id: int, *, since_ms: int = 0) -> Theirs:
        """One account. A ledger whose beginning was forgotten tells only what it still has."""
        whole = self._first_seq <= 1
        reach = since_ms if whole else max(since_ms, self._first_ms)
        held = "SELECT inst_id, pos_side, pos FROM positions WHERE account = ?"
        positions: dict[Holding, Decimal] = {}
        for inst_id, side, text in self._database.execute(held, (account_id,)):
            key = (inst_id, side)
            positions[key] = positions.get(key, Decimal(0)) + _quantity(side, Decimal(text))
        return Theirs(
            orders=list(self._orders(account_id, reach)),
            fills=list(self._fills(account_id, reach)),
            positions={key: total for key, total in positions.items() if total},
            read_ms=self._last_ms,
            orders_since_ms=reach,
            unfilled_since_ms=reach,
            fills_since_ms=reach,
            from_flat=reach == 0,
        )

    def _orders(self, account_id: int, since_ms: int) -> Iterator[TheirOrder]:
        rows = self._database.execute(
            "SELECT ord_id, cl_ord_id, inst_id, state, filled, accepted, changed, seq"
            " FROM orders WHERE account = ?"
            " AND (accepted >= ? OR state IN ('live', 'partially_filled')) ORDER BY seq",
            (account_id, since_ms),
        )
        for ord_id, name, inst_id, state, filled, accepted, changed, seq in rows:
            yield TheirOrder(
                exchange_order_id=ord_id,
                client_order_id=name,
                inst_id=inst_id,
                state=OrderState(state),
                filled=Decimal(filled),
                accepted_ms=accepted,
                changed_ms=changed,
                place=(accepted, seq),
            )

    def _fills(self, account_id: int, since_ms: int) -> Iterator[FillFact]:
        rows = self._database.execute(
            "SELECT ord_id, cl_ord_id, trade_id, inst_id, side, pos_side, sz, px, fee, ts"
            " FROM fills WHERE account = ? AND ts >= ?",
            (account_id, since_ms),
        )
        for ord_id, name, trade_id, inst_id, side, position_side, sz, px, fee, ts in rows:
            yield FillFact(
                exchange_order_id=ord_id,
                client_order_id=name,
                trade_id=trade_id,
                inst_id=inst_id,
                side=side,
                position_side=position_side,
                quantity=Decimal(sz),
                price=Decimal(px),
                fee=Decimal(fee),
                at_ms=ts,
            )


@contextmanager
def read_ledger(accounts: Mapping[str, int]) -> Iterator[Ledger]:
    """The whole ledger, as it was when its end was reached. Raises SimulatorError."""
    with tempfile.TemporaryDirectory(prefix="copydesk-audit-") as folder:
        database = sqlite3.connect(f"{folder}/ledger.sqlite3", check_same_thread=False)
        database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        try:
            ledger = Ledger(database, accounts)
            after: int | None = 0
            while after is not None:
                entries, after = control.ledger(after, PAGE)
                ledger.take(entries)
            yield ledger
        finally:
            database.close()


def _quantity(position_side: str, quantity: Decimal) -> Decimal:
    """Net positions are signed; long and short ones count upwards."""
    return quantity if position_side == PositionSide.NET else abs(quantity)


def _order(database: sqlite3.Connection, account: int, entry: Entry) -> None:
    database.execute(
        "INSERT OR REPLACE INTO orders VALUES (?, ?, ?, ?, ?, 'live', '0', ?, ?, ?)",
        (
            account,
            entry["ord_id"],
            entry["cl_ord_id"],
            entry["inst_id"],
            entry["sz"],
            entry["ts"],
            entry["ts"],
            entry["seq"],
        ),
    )


def _fill(database: sqlite3.Connection, account: int, entry: Entry) -> None:
    database.execute(
        "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            account,
            entry["ord_id"],
            entry["cl_ord_id"],
            entry["trade_id"],
            entry["inst_id"],
            entry["side"],
            entry["pos_side"],
            entry["sz"],
            entry["px"],
            entry["fee"],
            entry["ts"],
        ),
    )
    filled, _ = _progress(database, account, entry)
    _change(database, account, entry, entry["order_state"], filled + Decimal(entry["sz"]))
    if "pos" in entry:
        database.execute(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)",
            (account, entry["inst_id"], entry["mgn_mode"], entry["pos_side"], entry["pos"]),
        )


def _cancel(database: sqlite3.Connection, account: int, entry: Entry) -> None:
    filled, _ = _progress(database, account, entry)
    _change(database, account, entry, "canceled", filled)


def _amend(database: sqlite3.Connection, account: int, entry: Entry) -> None:
    filled, state = _progress(database, account, entry)
    state = "filled" if filled >= Decimal(entry["sz"]) else state
    _change(database, account, entry, state, filled)


def _start_over(database: sqlite3.Connection, account: int, _entry: Entry) -> None:
    """What was before explains nothing that is held from here on."""
    for table in ("orders", "fills", "positions"):
        database.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - ours


def _progress(database: sqlite3.Connection, account: int, entry: Entry) -> tuple[Decimal, str]:
    found = database.execute(
        "SELECT filled, state FROM orders WHERE account = ? AND ord_id = ?",
        (account, entry["ord_id"]),
    ).fetchone()
    return (Decimal(found[0]), str(found[1])) if found else (Decimal(0), "live")


def _change(
    database: sqlite3.Connection, account: int, entry: Entry, state: str, filled: Decimal
) -> None:
    database.execute(
        "UPDATE orders SET state = ?, filled = ?, changed = ? WHERE account = ? AND ord_id = ?",
        (state, f"{filled:f}", entry["ts"], account, entry["ord_id"]),
    )


_WRITE: Final[Mapping[str, Callable[[sqlite3.Connection, int, Entry], None]]] = {
    "order": _order,
    "fill": _fill,
    "cancel": _cancel,
    "amend": _amend,
    "account": _start_over,
    "reset": _start_over,
    "account_end": _start_over,
}
