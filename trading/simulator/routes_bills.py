"""Private account endpoints: what moved the balances."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator.bills import KINDS
from trading.simulator.codes import parameter
from trading.simulator.instruments import BY_ID
from trading.simulator.requests import Params
from trading.simulator.routing import Call, Route, Routes, instrument_type, newest
from trading.simulator.rows_bills import bill_row
from trading.simulator.state import Bill

_DAY_MS: Final = 86_400_000


def _recent(call: Call) -> list[Any]:
    return _bills(call, 7)


def _archive(call: Call) -> list[Any]:
    return _bills(call, 90)


def _bills(call: Call, days: int) -> list[Any]:
    """Newest first; the newest bills of an account are kept, older ones are forgotten."""
    wanted = _Wanted(call.params)
    oldest = call.now_ms - days * _DAY_MS
    latest = call.now_ms - call.venue.exchange.rules.read_lag_ms
    found = newest(
        call.params,
        reversed(call.account.bills),
        number=lambda each: int(each.bill_id),
        time=lambda each: each.ts,
        keep=lambda each: oldest <= each.ts <= latest and wanted.has(each),
    )
    return [bill_row(each) for each in found]


class _Wanted:
    """The filters of a bills query, read once."""

    def __init__(self, params: Params) -> None:
        self._inst_type = instrument_type(params, needed=False)
        self._ct_type = _one_of(params, "ctType", ("linear", "inverse"))
        plain = {
            "inst_id": params.text("instId"),
            "ccy": params.text("ccy"),
            "mgn_mode": _one_of(params, "mgnMode", ("isolated", "cross", "cash")),
            "kind": params.text("type"),
            "sub_type": params.text("subType"),
        }
        self._plain = [(name, value) for name, value in plain.items() if value]

    def has(self, bill: Bill) -> bool:
        if any(getattr(bill, name) != value for name, value in self._plain):
            return False
        if not self._inst_type and not self._ct_type:
            return True
        listed = BY_ID.get(bill.inst_id)
        if listed is None:
            return False
        ct_type = "" if listed.is_spot else ("inverse" if listed.is_inverse else "linear")
        return self._inst_type in ("", listed.inst_type) and self._ct_type in ("", ct_type)


def _types(call: Call) -> list[Any]:
    """What `type` and `subType` mean; `type` may name one of them, or several with commas."""
    wanted = [each for each in call.params.text("type").split(",") if each]
    if any(each not in KINDS for each in wanted):
        raise parameter("type")
    return [
        {
            "type": kind,
            "typeDesc": name,
            "subTypeDetails": [
                {"subType": number, "subTypeDesc": text} for number, text in subs.items()
            ],
        }
        for kind, (name, subs) in KINDS.items()
        if not wanted or kind in wanted
    ]


def _one_of(params: Params, name: str, allowed: tuple[str, ...]) -> str:
    value = params.text(name)
    if value and value not in allowed:
        raise parameter(name)
    return value


def _get(handler: Any, limit: int, window_ms: int = 2000) -> Route:
    return Route(handler, limit, "uid", window_ms=window_ms, private=True)


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/account/bills"): _get(_recent, 5, window_ms=1000),
    ("GET", "/api/v5/account/bills-archive"): _get(_archive, 5),
    ("GET", "/api/v5/account/subtypes"): _get(_types, 20),
}
