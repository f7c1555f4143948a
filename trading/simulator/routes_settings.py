"""Private account endpoints that read or change how an account is set up."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator import margin_moves, settings
from trading.simulator.codes import OkxError
from trading.simulator.requests import flag
from trading.simulator.routing import Call, Route, Routes, instruments_asked
from trading.simulator.rows_account import config_row

_BORROWING_MODES: Final = ("3", "4")


def _config(call: Call) -> list[Any]:
    return [config_row(call.account)]


def _set_position_mode(call: Call) -> list[Any]:
    return [settings.set_position_mode(call.venue.exchange, call.account, call.params)]


def _set_leverage(call: Call) -> list[Any]:
    return [settings.set_leverage(call.venue.exchange, call.account, call.params)]


def _leverage_info(call: Call) -> list[Any]:
    found = instruments_asked(call.params, 20)
    mgn_mode = call.params.chosen("mgnMode", "cross", "isolated")
    return [
        row for listed in found for row in settings.leverage_rows(call.account, listed, mgn_mode)
    ]


def _set_account_level(call: Call) -> list[Any]:
    """Refused with open orders or positions (59000)."""
    level = call.params.chosen("acctLv", "1", "2", "3", "4")
    if level != call.account.acct_lv:
        if call.account.pending or call.account.open_positions():
            raise OkxError("59000")
        if level == "4" and call.account.pos_mode != "net_mode":
            raise OkxError("51041")
        _change(call, "acct_lv", level)
    return [{"acctLv": level}]


def _move_margin(call: Call) -> list[Any]:
    return [margin_moves.move_margin(call.venue.exchange, call.account, call.params)]


def _set_greeks(call: Call) -> list[Any]:
    kind = call.params.chosen("greeksType", "PA", "BS")
    _change(call, "greeks_type", kind)
    return [{"greeksType": kind}]


def _set_isolated_mode(call: Call) -> list[Any]:
    """Margin moves by itself in every account: the only mode there is."""
    mode = call.params.chosen("isoMode", "automatic")
    call.params.chosen("type", "MARGIN", "CONTRACTS")
    return [{"isoMode": mode}]


def _set_auto_loan(call: Call) -> list[Any]:
    """Kept, though nothing is lent; only multi-currency and portfolio mode have it."""
    if call.account.acct_lv not in _BORROWING_MODES:
        raise OkxError("51010")
    wanted = flag(call.params, "autoLoan") or not call.params.has("autoLoan")
    _change(call, "auto_loan", wanted)
    return [{"autoLoan": wanted}]


def _change(call: Call, name: str, value: str | bool) -> None:
    call.venue.exchange.record(
        {
            "kind": "account_change",
            "ts": call.now_ms,
            "account": call.account.key,
            "changes": {name: value},
        }
    )


def _get(handler: Any, limit: int) -> Route:
    return Route(handler, limit, "uid", private=True)


def _post(handler: Any, limit: int) -> Route:
    return Route(handler, limit, "uid", private=True, permission="trade")


ROUTES: Final[Routes] = {
    ("GET", "/api/v5/account/config"): _get(_config, 5),
    ("GET", "/api/v5/account/leverage-info"): _get(_leverage_info, 20),
    ("POST", "/api/v5/account/set-position-mode"): _post(_set_position_mode, 5),
    ("POST", "/api/v5/account/set-leverage"): _post(_set_leverage, 20),
    ("POST", "/api/v5/account/position/margin-balance"): _post(_move_margin, 20),
    ("POST", "/api/v5/account/set-account-level"): _post(_set_account_level, 5),
    ("POST", "/api/v5/account/set-greeks"): _post(_set_greeks, 5),
    ("POST", "/api/v5/account/set-isolated-mode"): _post(_set_isolated_mode, 5),
    ("POST", "/api/v5/account/set-auto-loan"): _post(_set_auto_loan, 5),
}
