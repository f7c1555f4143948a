"""Who is connected, and what each of them is told when something happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, Final

from trading.simulator import pushes, pushes_algo, pushes_public, quotas
from trading.simulator.algo_state import Algo
from trading.simulator.channels import COUNTED, MARKET, MOVING, Subscription, needs_login
from trading.simulator.disturbed import Disturbances
from trading.simulator.faults import PUSH_KINDS, Subject
from trading.simulator.frames import Frame
from trading.simulator.instruments import BY_ID
from trading.simulator.listeners import Listeners, Sessions, private_frame, public_frame
from trading.simulator.rows_trade import order_push_row
from trading.simulator.session import Session
from trading.simulator.state import Account, Fill, Order, Position
from trading.simulator.timetable import Timetable
from trading.simulator.venue import Venue
from trading.simulator.wire import dump

_KEY_CHANGED: Final = 4007
_IDLE: Final = 4004
_GOING_AWAY: Final = 1001
_LOOK_S: Final = 0.5


class Hub:
    """Listens to the exchange and pushes to every open session.

    What accounts hear is written in the order in which it happened, after the
    ledger has it.
    """

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.sessions: set[Session] = set()
        self.scenario: object = None
        self.listeners = Listeners()
        self._timetable = Timetable()
        self._disturbances = Disturbances()
        self._memory: pushes_public.Memory = {}
        self._news: dict[str, pushes.News] = {}
        self._told: dict[str, pushes.Told] = {}
        self._outbox: list[tuple[Session, Frame, Subscription, Account, str, str]] = []
        self._delivering = False
        self._next_look = 0.0
        venue.exchange.order_listeners.append(self.order_changed)
        venue.exchange.on_account = self.account_changed
        venue.exchange.on_warning = self.warned
        venue.algos.on_algo = self.algo_changed

    def open(self, session: Session) -> None:
        self.sessions.add(session)

    def close(self, session: Session) -> None:
        self.sessions.discard(session)
        self._disturbances.forget(session)
        for subscription in list(session.subscriptions.values()):
            self.unsubscribed(session, subscription)

    def logged_in(self, session: Session, accounts: Iterable[Account]) -> None:
        """What the connection subscribed to before covers the new accounts as well."""
        held = list(session.subscriptions.values())
        for subscription in held:
            self.listeners.remove(session, subscription)
        session.accounts.update({account.key: account for account in accounts})
        for subscription in held:
            self.listeners.add(session, subscription)

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """After the acknowledgement: the connection count and the first snapshot."""
        known = session.subscriptions.get(subscription.name)
        if known is not None:
            del session.subscriptions[known.name]
            self.listeners.remove(session, known)
        session.subscriptions[subscription.name] = subscription
        self.listeners.add(session, subscription)
        if self.venue.limiter.enabled and quotas.close_if_over(self.listeners, session):
            return
        if needs_login(subscription.channel):
            if subscription.channel in COUNTED and not self._is_counted(session, subscription):
                return
            self._push_whole(session, subscription)
            self._timetable.add(session, subscription)
            return
        if subscription.channel in MARKET:
            for body in pushes_public.first(self.venue, subscription, self._memory):
                self._send(session, public_frame(subscription.arg, dump(body)), subscription)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        known = session.subscriptions.pop(subscription.name, None)
        if known is None:
            return
        self.listeners.remove(session, known)
        if known.channel not in self.listeners.public(known.subject):
            self._memory.pop((known.channel, known.subject), None)

    def order_changed(self, account: Account, order: Order, fill: Fill | None) -> None:
        if fill is not None:
            self._of(account).filled(order, fill)
            self._publish_liquidation(order, fill)
        heard = [
            each
            for each in self.listeners.private(account, "orders")
            if each[1].matches(order.inst_id)
        ]
        if not heard:
            return
        row = order_push_row(order, fill, self.venue.market)
        self._tell(account, heard, {"data": [row]}, order.inst_id, order.cl_ord_id)
        self._plan()

    def algo_changed(self, account: Account, algo: Algo) -> None:
        """An algo order that closes a whole position is also part of the position's row."""
        channel, row = pushes_algo.told(self.venue, algo)
        self.row_changed(account, channel, algo.inst_id, row)
        if algo.close_fraction and algo.key in account.positions:
            self._of(account).positions[algo.key] = None

    def account_changed(self, account: Account, event: str) -> None:
        """Several changes of one call become one push."""
        self._of(account).happened(event)

    def warned(self, account: Account, position: Position) -> None:
        """A position came near its liquidation."""
        row = pushes.warning_row(self.venue, account, position)
        self.row_changed(account, "liquidation-warning", position.inst_id, row)

    def row_changed(self, account: Account, channel: str, inst_id: str, row: Any) -> None:
        """Push one row of a channel about orders or positions, in order with all others."""
        listening = self.listeners.private(account, channel)
        heard = [each for each in listening if each[1].matches(inst_id)]
        self._tell(account, heard, {"data": [row]}, inst_id)
        self._plan()

    def key_changed(self, account: Account) -> None:
        """The key was altered or deleted: whoever uses it has to connect anew (4007)."""
        self._told.pop(account.key, None)
        for session in list(self.sessions):
            if account.key in session.accounts:
                session.end(_KEY_CHANGED)

    def announce_restart(self, seconds: float) -> None:
        """Tell every connection (64008), and close them all after that time."""
        told = list(self.sessions)
        for session in told:
            session.notify_restart()
        for session in told:
            asyncio.get_running_loop().call_later(seconds, session.end, _GOING_AWAY)

    def market_beat(self) -> None:
        """Several times a second: whatever changed in the public channels."""
        self.prices_moved(self.listeners.subjects())

    def prices_moved(self, inst_ids: Iterable[str]) -> None:
        for inst_id in inst_ids:
            for channel, groups in list(self.listeners.public(inst_id).items()):
                if channel in MOVING:
                    made = pushes_public.update(self.venue, channel, inst_id, self._memory)
                    for body in made:
                        self._broadcast(groups, body)

    def publish(self, channel: str, subject: str, rows: list[Any]) -> None:
        """Push rows of a public channel that does not follow from prices alone."""
        self._broadcast(self.listeners.public(subject).get(channel, {}), {"data": rows})

    def refresh(self) -> None:
        """Called several times a second: regular pushes, and the end of idle connections."""
        for session, subscription in self._timetable.due():
            self._push_whole(session, subscription)
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_S
            self._end_idle(now - self.venue.ws_idle_s)

    def _end_idle(self, since: float) -> None:
        for session in list(self.sessions):
            if session.active_at <= since and not session.silent:
                session.end(_IDLE)

    def _of(self, account: Account) -> pushes.News:
        """What happened to the account since the last delivery, which is now planned."""
        self._plan()
        return self._news.setdefault(account.key, pushes.News(account))

    def _tell(
        self,
        account: Account,
        heard: Iterable[tuple[Session, Subscription]],
        body: dict[str, Any],
        inst_id: str = "",
        cl_ord_id: str = "",
    ) -> None:
        for session, subscription in heard:
            frame = private_frame(account, subscription, body)
            self._outbox.append((session, frame, subscription, account, inst_id, cl_ord_id))

    def _plan(self) -> None:
        if not self._delivering:
            self._delivering = True
            self.venue.later(self._deliver())

    async def _deliver(self) -> None:
        self._delivering = False
        news, self._news = self._news, {}
        for each in news.values():
            self._push_account(each)
        waiting, self._outbox = self._outbox, []
        await self.venue.ledger.flush()
        for session, frame, subscription, account, inst_id, cl_ord_id in waiting:
            self._send(session, frame, subscription, account, inst_id, cl_ord_id)

    def _push_account(self, news: pushes.News) -> None:
        account = news.account
        for each in self.listeners.private(account, "positions"):
            wanted = [key for key in news.positions if each[1].matches(key[0])]
            if wanted:
                self._tell(account, [each], pushes.positions_update(self.venue, account, wanted))
        listening = list(self.listeners.private(account, "account"))
        if listening:
            row, fresh = pushes.changed_balance(self.venue, account, self._told_to(account))
            for each in listening:
                body = pushes.account_update(self.venue, account, each[1], row, fresh)
                self._tell(account, [each], body)
        listening = list(self.listeners.private(account, "balance_and_position"))
        if listening:
            for body in pushes.both_updates(self.venue, news, self._told_to(account)):
                self._tell(account, listening, body)

    def _told_to(self, account: Account) -> pushes.Told:
        return self._told.setdefault(account.key, pushes.Told())

    def _push_whole(self, session: Session, subscription: Subscription) -> None:
        for account in session.accounts.values():
            for body in pushes.snapshot(self.venue, account, subscription):
                frame = private_frame(account, subscription, body)
                self._send(session, frame, subscription, account)

    def _publish_liquidation(self, order: Order, fill: Fill) -> None:
        listed = BY_ID[order.inst_id]
        if order.category in pushes.LIQUIDATIONS and self.listeners.public(listed.inst_type):
            rows = [pushes.liquidation_row(order, fill)]
            self.publish("liquidation-orders", listed.inst_type, rows)

    def _is_counted(self, session: Session, subscription: Subscription) -> bool:
        """Tell how many connections listen; one too many is not subscribed after all."""
        limited, channel = self.venue.limiter.enabled, subscription.channel
        if quotas.tell_connections(self.listeners, session, channel, limited=limited):
            return True
        self.unsubscribed(session, subscription)
        return False

    def _broadcast(self, groups: dict[str, Sessions], body: dict[str, Any]) -> None:
        if not groups:
            return
        text = dump(body)
        for arg, sessions in list(groups.items()):
            frame = public_frame(arg, text)
            for session, subscription in list(sessions.items()):
                self._send(session, frame, subscription)

    def _send(
        self,
        session: Session,
        frame: Frame,
        subscription: Subscription,
        account: Account | None = None,
        inst_id: str = "",
        cl_ord_id: str = "",
    ) -> None:
        if not self.venue.faults.installed and session not in self._disturbances:
            session.write(frame)
            return
        named = inst_id or subscription.inst_id
        subject = Subject(
            path=f"/ws/v5/{session.url}",
            account=account.key if account else "",
            channel=subscription.channel,
            insts=[named] if named in BY_ID else [],
            cl_ord_ids=[cl_ord_id] if cl_ord_id else [],
        )
        fault = self.venue.faults.pick(PUSH_KINDS, subject)
        self._disturbances.push(session, frame, subscription.channel, fault)
