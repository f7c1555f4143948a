"""Who listens to what: one look-up per event, however many connections are open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trading.simulator.channels import Subscription, needs_login
from trading.simulator.frames import Frame
from trading.simulator.session import Session
from trading.simulator.state import Account
from trading.simulator.wire import dump

Sessions = dict[Session, Subscription]
Groups = dict[str, Sessions]


class Listeners:
    """Private listeners by account and channel, public ones by subject and channel.

    The subject of a public channel is an instrument, an instrument type or nothing.
    Public listeners are grouped by the argument that their frames repeat.
    """

    def __init__(self) -> None:
        self._private: dict[tuple[str, str], dict[Session, None]] = {}
        self._public: dict[str, dict[str, Groups]] = {}
        self._held: dict[str, int] = {}

    def add(self, session: Session, subscription: Subscription) -> None:
        if needs_login(subscription.channel):
            for key in session.accounts:
                self._private.setdefault((key, subscription.channel), {})[session] = None
                self._held[key] = self._held.get(key, 0) + 1
            return
        channels = self._public.setdefault(subscription.subject, {})
        groups = channels.setdefault(subscription.channel, {})
        groups.setdefault(subscription.arg, {})[session] = subscription

    def remove(self, session: Session, subscription: Subscription) -> None:
        """After the session itself forgot the subscription."""
        if not needs_login(subscription.channel):
            self._leave(session, subscription)
            return
        channels = {each.channel for each in session.subscriptions.values()}
        for key in session.accounts:
            self._held[key] -= 1
            if subscription.channel not in channels:
                self._private[key, subscription.channel].pop(session, None)

    def private(self, account: Account, channel: str) -> Iterator[tuple[Session, Subscription]]:
        for session in list(self._private.get((account.key, channel), ())):
            for subscription in list(session.subscriptions.values()):
                if subscription.channel == channel:
                    yield session, subscription

    def public(self, subject: str) -> dict[str, Groups]:
        return self._public.get(subject, {})

    def subjects(self) -> list[str]:
        """Of the public channels that anybody listens to."""
        return [subject for subject, channels in self._public.items() if channels]

    def connections(self, account: Account, channel: str) -> int:
        return len(self._private.get((account.key, channel), ()))

    def held_by(self, account: Account) -> int:
        """Private subscriptions of this key over all its connections."""
        return self._held.get(account.key, 0)

    def _leave(self, session: Session, subscription: Subscription) -> None:
        channels = self._public[subscription.subject]
        groups = channels[subscription.channel]
        sessions = groups[subscription.arg]
        sessions.pop(session, None)
        if not sessions:
            del groups[subscription.arg]
        if not groups:
            del channels[subscription.channel]


def public_frame(arg: str, body: bytes) -> Frame:
    """`body` is an object's JSON without `arg`; the frame repeats the subscriber's argument."""
    return Frame(b'{"arg":%b,%b' % (arg.encode("utf-8", "replace"), body[1:]))


def private_frame(account: Account, subscription: Subscription, body: dict[str, Any]) -> Frame:
    arg = f'{subscription.arg[:-1]},"uid":"{account.uid}"}}'
    return public_frame(arg, dump(body))
