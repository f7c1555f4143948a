"""Mass cancel: the market makers' switch for options, of which there are none here."""

from __future__ import annotations

from typing import Any, Final

from trading.simulator.codes import OkxError, parameter
from trading.simulator.requests import Params
from trading.simulator.session import Session, message_id
from trading.simulator.state import Account
from trading.simulator.venue import Venue

PATH: Final = "/api/v5/trade/mass-cancel"
LIMIT: Final = 5
WINDOW_MS: Final = 2000
_PORTFOLIO_MARGIN: Final = "4"
_LONGEST_LOCK_MS: Final = 10_000


def mass_cancel(account: Account, params: Params) -> dict[str, bool]:
    """Only options in portfolio margin mode; no option order exists, so none is left."""
    params.chosen("instType", "OPTION")
    params.needed("instFamily")
    if (params.ms("lockInterval") or 0) > _LONGEST_LOCK_MS:
        raise parameter("lockInterval")
    if account.acct_lv != _PORTFOLIO_MARGIN:
        raise OkxError("51010")
    return {"result": True}


def answer_socket(venue: Venue, session: Session, frame: dict[str, Any]) -> None:
    """The same over the socket, with the same limit; private and business URLs both take it."""
    if session.url == "public":
        raise OkxError("60028")
    if not session.accounts:
        raise OkxError("60011")
    account = next(iter(session.accounts.values()))
    answer: dict[str, Any] = {"data": [], "code": "0", "msg": ""}
    try:
        answer["data"] = [_asked(venue, account, frame)]
    except OkxError as error:
        answer |= {"code": error.code, "msg": error.message}
    given = frame.get("id")
    session.send({"id": given if isinstance(given, str) else "", "op": frame["op"], **answer})


def _asked(venue: Venue, account: Account, frame: dict[str, Any]) -> dict[str, bool]:
    args = frame.get("args")
    if frame.get("id") not in (None, "") and not message_id(frame):
        raise OkxError("60013")
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        raise OkxError("60013")
    if "trade" not in account.perm.split(","):
        raise OkxError("50120")
    key = (PATH, "POST", account.uid, "")
    if not venue.limiter.take(key, LIMIT, WINDOW_MS, venue.clock.ms()):
        raise OkxError("50011")
    return mass_cancel(account, Params(args[0]))
