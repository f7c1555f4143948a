"""Cancel-all-after: orders that are taken back unless their owner keeps calling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from trading.simulator.codes import OkxError, parameter
from trading.simulator.exchange import Exchange
from trading.simulator.requests import Params, tag_of
from trading.simulator.state import Account

COUNTDOWN_ENDED: Final = "20"
MOST_TAGS: Final = 20
_SHORTEST_S: Final = 10
_LONGEST_S: Final = 120


class Countdowns:
    """One for the whole account and one for each tag; they run on the exchange's heartbeat."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        exchange.watchers.append(self._check)

    def set(self, account: Account, params: Params) -> dict[str, str]:
        """Start anew, or stop with `timeOut` 0. Times in the answer are epoch seconds."""
        tag = tag_of(params)
        seconds = params.ms("timeOut")
        if seconds is None:
            raise OkxError("50014", "timeOut")
        if seconds and not _SHORTEST_S <= seconds <= _LONGEST_S:
            raise parameter("timeOut")
        running = self.exchange.state.countdowns
        tags = [each for key, each in running if key == account.key and each and each != tag]
        if seconds and tag and len(tags) >= MOST_TAGS:
            raise OkxError("51071")
        now = self.exchange.clock.ms()
        at = now + seconds * 1000 if seconds else 0
        self._record(account.key, tag, at)
        return {"triggerTime": str(at // 1000), "tag": tag, "ts": str(now // 1000)}

    def _check(self, _moved: Sequence[str], now_ms: int) -> None:
        """The countdown is over when its orders are canceled: not earlier, should we crash."""
        due = [key for key, at in self.exchange.state.countdowns.items() if at <= now_ms]
        for key, tag in due:
            account = self.exchange.state.accounts[key]
            for order in list(account.pending.values()):
                if not tag or order.tag == tag:
                    self.exchange.end(account, order, COUNTDOWN_ENDED)
            self._record(key, tag, 0)

    def _record(self, key: str, tag: str, at: int) -> None:
        self.exchange.record(
            {
                "kind": "countdown",
                "ts": self.exchange.clock.ms(),
                "account": key,
                "tag": tag,
                "at": at,
            }
        )
