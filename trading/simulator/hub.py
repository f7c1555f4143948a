"""Who listens to what, and what each of them is told when something happens."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from trading.simulator import pushes, pushes_public
from trading.simulator.channels import MARKET, MOVING, PRIVATE, Subscription, public_instruments
from trading.simulator.faults import WS_KINDS, Subject
from trading.simulator.instruments import BY_ID
from trading.simulator.rows_trade import order_push_row
from trading.simulator.session import Session
from trading.simulator.state import Account, Fill, Order, PositionKey
from trading.simulator.venue import Venue


class Hub:
    """Listens to the exchange and pushes to every open session."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.sessions: set[Session] = set()
        self._by_account: dict[str, set[Session]] = defaultdict(set)
        self._by_instrument: dict[str, set[Session]] = defaultdict(set)
        self._dirty: dict[str, set[PositionKey]] = {}
        self._scheduled: set[str] = set()
        self._events: dict[str, list[tuple[str, Fill | None]]] = defaultdict(list)
        venue.exchange.order_listeners.append(self.order_changed)
        venue.exchange.on_account = self.account_changed

    def open(self, session: Session) -> None:
        self.sessions.add(session)

    def logged_in(self, session: Session) -> None:
        for key in session.accounts:
            self._by_account[key].add(session)

    def close(self, session: Session) -> None:
        self.sessions.discard(session)
        for key in session.accounts:
            self._by_account[key].discard(session)
        for listeners in self._by_instrument.values():
            listeners.discard(session)

    def subscribed(self, session: Session, subscription: Subscription) -> None:
        """After the acknowledgement: the connection count and the first snapshot."""
        if subscription.channel in PRIVATE:
            self._count_connections(session, subscription)
            for account in session.accounts.values():
                for frame in pushes.snapshot(self.venue, account, subscription):
                    self._send(session, frame, subscription, account)
            return
        if subscription.channel not in MARKET:
            return
        for inst_id in public_instruments(subscription):
            self._by_instrument[inst_id].add(session)
        for frame in pushes_public.public_snapshot(self.venue, subscription, session):
            self._send(session, frame, subscription)

    def order_changed(self, account: Account, order: Order, fill: Fill | None) -> None:
        if fill is not None and not fill.is_spot:
            key = (fill.inst_id, fill.mgn_mode, fill.pos_side)
            self._dirty.setdefault(account.key, set()).add(key)
        if fill is not None:
            self._events[account.key].append(("filled", fill))
        listeners = list(self._listeners(account, "orders"))
        if not listeners:
            return
        row = order_push_row(order, fill, self.venue.market)
        for session, subscription in listeners:
            if subscription.matches(order.inst_id):
                frame = pushes.private(account, subscription, [row])
                self._send(session, frame, subscription, account, order)

    def account_changed(self, account: Account, event: str) -> None:
        """Several changes of one call become one push."""
        self._dirty.setdefault(account.key, set())
        if event == "set_leverage":
            open_keys = [key for key, each in account.positions.items() if each.qty]
            self._dirty[account.key].update(open_keys)
            self._events[account.key].append((event, None))
        if event == "reset":
            ended = [
                key for key, each in account.positions.items() if each.u_time == account.u_time
            ]
            self._dirty[account.key].update(ended)
        if event in ("reset", "transferred"):
            self._events[account.key].append(("transferred", None))
        if account.key not in self._scheduled:
            self._schedule(account)

    def prices_moved(self, inst_ids: Iterable[str]) -> None:
        for inst_id in inst_ids:
            for session in list(self._by_instrument.get(inst_id, ())):
                for subscription in list(session.subscriptions.values()):
                    if subscription.channel in MOVING and subscription.inst_id == inst_id:
                        for frame in pushes_public.public_update(self.venue, subscription, session):
                            self._send(session, frame, subscription)

    def refresh(self) -> None:
        """The regular push of positions and balances, about every five seconds."""
        for session in list(self.sessions):
            for subscription in list(session.subscriptions.values()):
                if subscription.channel in ("positions", "account") and subscription.periodic:
                    for account in session.accounts.values():
                        for frame in pushes.snapshot(self.venue, account, subscription):
                            self._send(session, frame, subscription, account)

    def connections(self, account: Account, channel: str) -> int:
        return len({session for session, _ in self._listeners(account, channel)})

    def _schedule(self, account: Account) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._push_account(account)
            return
        self._scheduled.add(account.key)
        loop.call_soon(self._push_account, account)

    def _push_account(self, account: Account) -> None:
        self._scheduled.discard(account.key)
        keys = self._dirty.pop(account.key, set())
        events = self._events.pop(account.key, [])
        for session, subscription in list(self._listeners(account, "positions")):
            wanted = [key for key in keys if subscription.matches(key[0])]
            if wanted:
                frame = pushes.positions_update(self.venue, account, subscription, wanted)
                self._send(session, frame, subscription, account)
        for session, subscription in list(self._listeners(account, "account")):
            frame = pushes.account_update(self.venue, account, subscription)
            self._send(session, frame, subscription, account)
        for session, subscription in list(self._listeners(account, "balance_and_position")):
            for event, fill in events:
                frame = pushes.both_update(self.venue, account, subscription, (event, fill), keys)
                self._send(session, frame, subscription, account)

    def _count_connections(self, session: Session, subscription: Subscription) -> None:
        for account in session.accounts.values():
            count = self.connections(account, subscription.channel)
            session.send(
                {
                    "event": "channel-conn-count",
                    "channel": subscription.channel,
                    "connCount": str(count),
                    "connId": session.conn_id,
                }
            )

    def _listeners(self, account: Account, channel: str) -> Iterator[tuple[Session, Subscription]]:
        for session in self._by_account.get(account.key, ()):
            for subscription in session.subscriptions.values():
                if subscription.channel == channel:
                    yield session, subscription

    def _send(
        self,
        session: Session,
        frame: dict[str, Any],
        subscription: Subscription,
        account: Account | None = None,
        order: Order | None = None,
    ) -> None:
        if not self.venue.faults.installed:
            session.send(frame)
            return
        inst_id = order.inst_id if order else subscription.inst_id
        subject = Subject(
            path=f"/ws/v5/{session.url}",
            account=account.key if account else "",
            channel=subscription.channel,
            insts=[inst_id] if inst_id in BY_ID else [],
            cl_ord_ids=[order.cl_ord_id] if order else [],
        )
        fault = self.venue.faults.pick(WS_KINDS, subject)
        session.send_faulty(frame, fault.kind if fault else "")
