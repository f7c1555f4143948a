"""How many connections and subscriptions a key and a connection may hold."""

from __future__ import annotations

from typing import Final

from trading.simulator.listeners import Listeners
from trading.simulator.session import Session

_MOST_CONNECTIONS: Final = 30
_MOST_FOR_KEY: Final = 100
_MOST_FOR_CONNECTION: Final = 1000
_TOO_MANY_FOR_KEY: Final = 4003
_TOO_MANY_CHANNELS: Final = 4009


def close_if_over(listeners: Listeners, session: Session) -> bool:
    """Whether the subscription just made was one too many, so that the connection ends."""
    if len(session.subscriptions) > _MOST_FOR_CONNECTION:
        session.end(_TOO_MANY_CHANNELS)
        return True
    held = [listeners.held_by(each) for each in session.accounts.values()]
    if max(held, default=0) > _MOST_FOR_KEY:
        session.end(_TOO_MANY_FOR_KEY)
        return True
    return False


def tell_connections(
    listeners: Listeners, session: Session, channel: str, *, limited: bool
) -> bool:
    """Tell how many connections listen to the channel, for each account; False when one is over."""
    counts = [listeners.connections(each, channel) for each in session.accounts.values()]
    over = limited and max(counts) > _MOST_CONNECTIONS
    for count in counts:
        session.send(
            {
                "event": "channel-conn-count-error" if over else "channel-conn-count",
                "channel": channel,
                "connCount": str(min(count, _MOST_CONNECTIONS) if over else count),
                "connId": session.conn_id,
            }
        )
    return not over
