"""What the streams process reads from and writes into its own tables. Runs in threads."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from accounts import audit
from accounts.enums import AuditLevel
from accounts.tenancy import all_tenants, tenant_scope
from customers.enums import AccountStatus, Market
from customers.models import ExchangeAccount
from signals.models import LeaderAccount
from strategies.models import Strategy
from trading.endpoints import NoMarket, endpoint_of_market, keys_of
from trading.exchange.streams import StreamEvent
from trading.exchange.types import Credentials
from trading.leases import (
    alive_count,
    alive_here,
    beat_heartbeat,
    claim_streams,
    db_now,
    end_heartbeat,
    fair_capacity,
    give_back_job,
    release_streams,
    take_job,
)
from trading.models import Instrument, Order, Position, StreamLease
from trading.sync.apply import apply_events, quarantine
from trading.sync.streams.leader_rows import (
    WatchedLeader,
    leave_leaders,
    mirrored,
    take_leaders,
)

KIND = "streams"
# Five rounds of the supervisor. While a dead copy's lease lasts, nobody has fresh prices.
LEASE_S = 10
CONNECTING, REFUSED = "connecting", "refused"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """An account whose socket is ours to keep, with the key that is its at the moment."""

    account_id: int
    tenant_id: int
    market: str
    key_version: int


@dataclass(frozen=True, slots=True)
class View:
    """What this copy is to do."""

    accounts: tuple[Watched, ...]
    markets: tuple[str, ...]
    leaders: tuple[WatchedLeader, ...] = ()
    # Leaders of ours whose stops are to be heard as well.
    mirrored: frozenset[int] = frozenset()
    # Copies on this host: they share its address, and what the exchange allows to it.
    copies_here: int = 1


def look_around(owner: uuid.UUID, *, tell: bool) -> View:
    """Renew what this copy keeps, take its share, and say what that is. A number of queries that
    does not grow with the accounts."""
    beat_heartbeat(KIND)
    with all_tenants("streams: one process keeps the sockets of every desk"):
        streamed = ExchangeAccount.objects.streamed()
        rows = streamed.values_list("pk", "tenant_id", "market", "key_version")
        everyone = [Watched(*row) for row in rows]
        used = ExchangeAccount.objects.exclude(status=AccountStatus.ARCHIVED).order_by()
        names = {*used.values_list("market", flat=True).distinct(), settings.DEFAULT_MARKET}
        names |= set(LeaderAccount.objects.watched().values_list("source__market", flat=True))
    markets = {name for name in names if _has_addresses(name, tell=tell)}
    wanted = {each.account_id: each for each in everyone if each.market in markets}
    # Who is silent for as long as its leases last leaves its share to the others.
    copies = alive_count(KIND, within_s=LEASE_S)
    capacity = fair_capacity(len(wanted), copies)
    held = claim_streams(owner, wanted, seconds=LEASE_S, capacity=capacity)
    leaders = take_leaders(owner, frozenset(markets), copies=copies, seconds=LEASE_S)
    return View(
        accounts=tuple(wanted[account_id] for account_id in sorted(held)),
        markets=tuple(m for m in sorted(markets) if take_job(_job(m), owner, LEASE_S)),
        leaders=leaders,
        mirrored=mirrored([watched.leader_id for watched in leaders]),
        copies_here=alive_here(KIND),
    )


def _has_addresses(market: str, *, tell: bool) -> bool:
    """A market that the settings do not know must not end the sockets of all others."""
    try:
        endpoint_of_market(market)
    except NoMarket as error:
        if tell:
            logger.warning("Its accounts have no socket: %s", error)
        return False
    return True


def leave(owner: uuid.UUID, markets: Collection[str]) -> None:
    """Give everything back, so that another copy need not wait."""
    release_streams(owner)
    leave_leaders(owner)
    for market in markets:
        give_back_job(_job(market), owner)
    end_heartbeat(KIND)


def begin_socket(watched: Watched) -> Credentials:
    """The key for a socket that is about to be opened. Raises NoKey."""
    with tenant_scope(watched.tenant_id):
        StreamLease.objects.filter(pk=watched.account_id).update(
            state=CONNECTING, reason="", changed_at=db_now()
        )
        account = ExchangeAccount.objects.get(pk=watched.account_id)
        return keys_of(account, purpose="streams")


def write_news(watched: Watched, events: Sequence[StreamEvent], waited_s: float) -> bool:
    """Write news down; True when it tells of orders that are not ours."""
    with tenant_scope(watched.tenant_id):
        account = ExchangeAccount.objects.get(pk=watched.account_id)
        return apply_events(account, events, waited_s=waited_s).external > 0


def set_news_aside(watched: Watched, events: Sequence[StreamEvent], error: Exception) -> None:
    """Keep a trace of events that could not be applied for a fault of ours."""
    with tenant_scope(watched.tenant_id):
        account = ExchangeAccount.objects.get(pk=watched.account_id)
        quarantine(account, "stream", type(error).__name__, f"{error}: {events!r}")


def mark_socket(watched: Watched, state: str, reason: str = "") -> None:
    """Note a socket's state; a refused key goes into the diary once, however often it is tried."""
    now = db_now()
    with tenant_scope(watched.tenant_id), transaction.atomic():
        row = StreamLease.objects.filter(pk=watched.account_id).first()
        if row is None or (row.state == state and row.reason == reason[:200]):
            return
        if row.state == REFUSED and state == CONNECTING:
            return
        StreamLease.objects.filter(pk=row.pk).update(
            state=state, reason=reason[:200], changed_at=now
        )
        if state == REFUSED and row.state != REFUSED:
            account = ExchangeAccount.objects.get(pk=watched.account_id)
            audit.record(
                action="stream.refused",
                obj=account,
                level=AuditLevel.WARNING,
                reason=f"The exchange refused the key on the private socket: {reason}"[:300],
            )


def touch_sockets(account_ids: Collection[int]) -> None:
    """Note that these sockets told something lately."""
    StreamLease.objects.filter(account_id__in=account_ids).update(last_event_at=db_now())


def instruments_in_use(market: str) -> frozenset[str]:
    """Whose prices to follow: everything at the simulator, elsewhere what somebody may trade."""
    listed = Instrument.objects.filter(market=market, state="live")
    if market == Market.SIMULATOR:
        return frozenset(listed.values_list("inst_id", flat=True))
    with all_tenants("streams: prices are the same for every desk"):
        lists = list(Strategy.objects.active().values_list("instruments", flat=True))
        held = Position.objects.filter(account__market=market).open()
        named = {inst_id for names in lists for inst_id in names}
        named |= set(held.values_list("inst_id", flat=True))
        named |= set(Order.objects.filter(market=market).open().values_list("inst_id", flat=True))
    if [] in lists:
        # A strategy that follows everything can be told to trade any of these.
        swaps = listed.filter(inst_type="SWAP", settle_currency="USDT")
        named |= set(swaps.values_list("inst_id", flat=True))
    known = listed.filter(inst_id__in=named).values_list("inst_id", flat=True)
    return frozenset(known)


def _job(market: str) -> str:
    return f"market:{market}"
