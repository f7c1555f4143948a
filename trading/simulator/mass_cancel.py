"""Mass cancel: the market makers' switch for options, of which there are none here."""

from __future__ import annotations

from typing import Final

from trading.simulator.codes import OkxError, parameter
from trading.simulator.requests import Params
from trading.simulator.state import Account

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
