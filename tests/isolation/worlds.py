"""Two full desks; every text of the second contains a canary that the first must never see."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction
from django.test import Client
from django.utils import timezone

from accounts import audit
from accounts.approvals import request_approval
from accounts.entry import SESSION_KEY
from accounts.enums import Role
from accounts.fields import EncryptedTextField
from accounts.models import Membership, Tenant, User
from accounts.stepup import SESSION_KEY as STEP_UP_KEY
from accounts.tenancy import TenantModel, tenant_scope
from customers.models import ExchangeAccount
from notifications.models import Destination, LiveEvent, LiveStream
from signals.enums import SourceKind
from signals.models import LeaderPosition, SignalNonce
from tests import factories as make
from tests.world import World, make_world
from trading.enums import BreakerCause, LimitKind, Scope, TradingMode
from trading.models import (
    Action,
    ActionAttempt,
    Breaker,
    Cycle,
    ExternalOrder,
    FlattenAccount,
    FlattenRun,
    Instrument,
    LossLimit,
    LossState,
    MarginThreshold,
    MarginWatch,
    MarketPrice,
    Order,
    Position,
    Protection,
    QuarantinedReport,
    StreamLease,
)
from trading.switch import set_limit, set_mode

STAFF = (Role.OWNER, Role.TRADER, Role.RISK, Role.SUPPORT, Role.AUDITOR)
OUTSIDERS = (Role.CUSTOMER, Role.INTEGRATOR)
# What these hold is structure, not text: codes, hashes and keys that the database compares.
STRUCTURAL = {"scope_key", "active_key", "open_key", "dedupe_hash", "token_hash", "key_fingerprint",
              "nonce_hash", "lane_key", "dedup_key"}  # fmt: skip
TEXTS = (models.CharField, models.TextField)
SHORTEST = 10


@dataclass(frozen=True)
class Desks:
    """The desk that attacks, the one attacked, and the texts that only the second holds."""

    a: World
    b: World
    long: str
    short: str
    outsiders: dict[Role, User]
    superuser: User

    def leaks(self, text: str) -> str | None:
        """The canary with what is around it, or None: for messages of failing tests."""
        low = text.lower()
        for canary in (self.long.lower(), self.short.lower()):
            at = low.find(canary)
            if at >= 0:
                return text[max(0, at - 150) : at + 60]
        return None


def product_models() -> list[type[models.Model]]:
    """Every model of ours; the tests' own little app is not part of the product."""
    return [
        model
        for model in apps.get_models()
        if not model.__module__.startswith(("tests.", "django.", "django_"))
    ]


def tenant_models() -> list[type[TenantModel]]:
    return [model for model in product_models() if issubclass(model, TenantModel)]


def unscoped(model: type[models.Model]) -> models.QuerySet[Any]:
    """The rows of every desk: a plain queryset, which no guard of ours has seen."""
    return models.QuerySet(model=model)


def rows_of(model: type[models.Model], tenant: Tenant) -> models.QuerySet[Any]:
    return unscoped(model).filter(tenant_id=tenant.pk)


def make_desks() -> Desks:
    word = uuid.uuid4().hex[:8]
    canaries = (f"CANARY_B_{word}", f"CB{word}")
    first = make_world("North desk", 1, customers=4)
    second = make_world(f"South desk {canaries[0]}", 2, canary=canaries[0], customers=4)
    for world in (first, second):
        with tenant_scope(world.tenant), transaction.atomic(), audit.acting(actor=world.owner):
            _fill(world)
    outsiders = {role: make.make_user(role, tenant=first.tenant) for role in OUTSIDERS}
    desks = Desks(
        a=first,
        b=second,
        long=canaries[0],
        short=canaries[1],
        outsiders=outsiders,
        superuser=make.make_user(None, username="root", is_superuser=True, is_staff=True),
    )
    _stain(desks)
    return desks


def signed_in(user: User | None, tenant: Tenant | None = None) -> Client:
    """A browser of this person, in this desk, with the password typed a moment ago."""
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
        session = client.session
        session[STEP_UP_KEY] = [user.pk, int(timezone.now().timestamp())]
        if tenant is not None:
            session[SESSION_KEY] = tenant.pk
        session.save()
    return client


def staff_client(desks: Desks, who: str) -> Client:
    """By role of desk A; `superuser` works in desk A, `nowhere` is one that chose no desk."""
    if who == "superuser":
        return signed_in(desks.superuser, desks.a.tenant)
    if who == "nowhere":
        return signed_in(desks.superuser)
    return signed_in(desks.a.people[Role(who)])


def digest(tenant: Tenant) -> dict[str, str]:
    """A fingerprint of every table's rows of this desk, its people and its sockets included."""
    with connection.cursor() as cursor:
        return {name: _fingerprint(cursor, *asked) for name, asked in _asked(tenant.pk).items()}


def _fingerprint(cursor: Any, sql: str, values: tuple[Any, ...]) -> str:
    cursor.execute(sql, values)
    found = list(cursor.fetchall())
    return f"{len(found)} {hashlib.sha256(repr(found).encode()).hexdigest()}"


@cache
def _asked(tenant_id: int) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """The statements of a digest; hundreds of tests ask them, so they are written once."""
    rows = {m._meta.label: unscoped(m).filter(tenant_id=tenant_id) for m in tenant_models()}
    people = unscoped(Membership).filter(tenant_id=tenant_id)
    accounts = unscoped(ExchangeAccount).filter(tenant_id=tenant_id).values("pk")
    rows |= {
        "desk": unscoped(Tenant).filter(pk=tenant_id),
        "members": people,
        "people": unscoped(User).filter(pk__in=people.values("user")),
        "sockets": unscoped(StreamLease).filter(account_id__in=accounts),
        "instruments": unscoped(Instrument),
        "prices": unscoped(MarketPrice),
        "schedules": unscoped(apps.get_model("django_celery_beat.PeriodicTask")),
    }
    return {
        name: found.order_by("pk").values_list().query.sql_with_params()
        for name, found in rows.items()
    }


def _fill(world: World) -> None:
    """A second row of what a working day leaves one or none of."""
    now, tenant, account = timezone.now(), world.tenant, world.accounts[1]
    owner, source = world.owner, world.sources[0]
    make.make_source(tenant, name="Programs", kind=SourceKind.API, secret="")
    for number in range(2):
        request_approval(
            action="position.flatten", requested_by=owner, obj=account, reason=f"Ask {number}"
        )
        SignalNonce(source=source, nonce_hash=f"{tenant.pk}-{number}", used_at=now).save()
    set_mode(mode=TradingMode.REDUCE_ONLY, reason="Watched", actor=owner, tenant=tenant,
             scope=Scope.ACCOUNT, target=account)  # fmt: skip
    for inst_id in ("XRP-USDT-SWAP", "DOGE-USDT-SWAP"):
        state = set_mode(mode=TradingMode.FLATTEN, reason="Delisted", actor=owner, tenant=tenant,
                         scope=Scope.INSTRUMENT, target=inst_id)  # fmt: skip
        run = FlattenRun.objects.get(state=state)
        FlattenAccount(run=run, account=account, started_at=now, step_at=now).save()
    for number, cause in enumerate((BreakerCause.REJECTS, BreakerCause.UNRESOLVED)):
        Breaker(key=f"account|{account.pk}|{cause}", account=account, market=account.market,
                cause=cause, times_opened=number, reason=f"Refusals {number}").save()  # fmt: skip
    _limit_losses(tenant, account)
    set_limit(kind=LimitKind.DAILY_NOTIONAL, value=9000, actor=owner, tenant=tenant,
              scope=Scope.CUSTOMER, target=world.customers[1])  # fmt: skip
    link = world.subscriptions[1]
    Cycle(
        link_uid=link.uid, subscription=link, source=source, account=link.account,
        inst_id="ETH-USDT-SWAP", leader_inst_id="ETH-USDT-SWAP", direction="long",
        unit="contracts", follower_base=1,
        leader_base=10, opened_at=now - timedelta(hours=1),
    ).save()  # fmt: skip
    LeaderPosition(
        source=source, inst_id="ETH-USDT-SWAP", direction="long", quantity=3, updated_at=now
    ).save()
    QuarantinedReport(
        account=account, kind="positions", reason="unknown mode", excerpt="{}", count=1,
        first_at=now, last_at=now,
    ).save()  # fmt: skip
    ExternalOrder(
        account=account, exchange_order_id=f"77{tenant.pk}", inst_id="ETH-USDT-SWAP", side="sell",
        quantity=1, state="live", seen_at=now,
    ).save()  # fmt: skip
    theirs = [o for o in world.orders if o.account.customer_id == world.customers[0].pk]
    for order in (theirs[0], world.orders[1]):
        kept = protect(order)
        for action in (ask_cancel(order), ask_unprotect(kept)):
            ActionAttempt(
                action=action, number=1, started_at=now, code="51400", message="Gone", excerpt="{}"
            ).save()
    for stream in ("orders", "attention"):
        LiveStream(audience="staff", stream=stream, last_seq=1, heard_at=now).save()
        LiveEvent(
            audience="staff", stream=stream, seq=1, kind="order", object_id=str(tenant.uid), at=now
        ).save()


def _limit_losses(tenant: Tenant, account: ExchangeAccount) -> None:
    now = timezone.now()
    for number, (scope, measure) in enumerate((("account", "equity"), ("tenant", "drawdown"))):
        bound = LossLimit(
            scope=scope, account=account if scope == "account" else None, period="day",
            measure=measure, max_absolute=100 + number,
        )  # fmt: skip
        bound.save()
        LossState(
            limit=bound, account=account, key=f"{bound.pk}|{account.pk}|", since=now, base=1000,
            paid_until=now, counted_until=now, measured_at=now,
        ).save()  # fmt: skip
        MarginThreshold(level=("warn", "block")[number], ratio=2 - number).save()
    for position in rows_of(Position, tenant)[:2]:
        MarginWatch(position=position, level="warn", changed_at=now).save()


def protect(order: Order) -> Protection:
    """A stop loss that came with the order."""
    kept = Protection(
        account=order.account, inst_id=order.inst_id, side="sell", position_side="net",
        margin_mode="cross", link_uid=order.link_uid, order=order, stop_loss=1, quantity=1,
        client_algo_id=f"a{order.client_order_id}"[:32],
        exchange_algo_id=f"9{order.pk.int % 10**9}",
        reason="Not armed yet", state="live", created_at=order.created_at,
        checked_at=order.created_at,
    )  # fmt: skip
    kept.save()
    return kept


def ask_cancel(order: Order) -> Action:
    action = Action(
        kind="cancel", account=order.account, order=order, reason="By hand", result="Gone",
        state="done", created_at=order.created_at,
    )  # fmt: skip
    action.save()
    return action


def ask_unprotect(kept: Protection) -> Action:
    action = Action(
        kind="unprotect", account=kept.account, protection=kept, reason="By hand", state="waiting",
        open_key=f"protection:{kept.pk.hex}:unprotect", created_at=kept.created_at,
    )  # fmt: skip
    action.save()
    return action


def _stain(desks: Desks) -> None:
    """Put the canary into every text of desk B, past all guards, and into its people."""
    with tenant_scope(desks.b.tenant):
        for account in desks.b.accounts:
            account.api_secret = account.passphrase = f"{desks.long} secret"
            account.save()
        for source in desks.b.sources:
            source.secret = f"{desks.long} secret"
            source.save()
        for destination in Destination.objects.all():
            destination.robot_token = destination.signing_secret = f"{desks.long} secret"
            destination.smtp_password = f"{desks.long} secret"
            destination.save()
    for model in tenant_models():
        fields = [field for field in model._meta.concrete_fields if _is_text(field)]
        for number, row in enumerate(rows_of(model, desks.b.tenant).order_by("pk")):
            values = {field.attname: _stained(field, row, desks, number) for field in fields}
            if values:
                unscoped(model).filter(pk=row.pk).update(**values)
    # The same lane on both sides: a query by lane alone would show the neighbour's orders.
    orders = apps.get_model("trading.Order")
    lane = rows_of(orders, desks.a.tenant).values_list("lane_key", flat=True).first()
    rows_of(orders, desks.b.tenant).update(lane_key=lane)
    for number, user in enumerate(desks.b.people.values()):
        names = {"first_name": desks.long, "last_name": desks.long}
        name = f"{desks.long}-{number}"
        email = f"{name}@example.org"
        User.objects.filter(pk=user.pk).update(username=name, email=email, **names)
        user.refresh_from_db()
    desks.b.tenant.slug = desks.long.lower().replace("_", "-")
    desks.b.tenant.save()


def _is_text(field: Any) -> bool:
    if field.choices or field.name in STRUCTURAL or field.is_relation:
        return False
    if isinstance(field, EncryptedTextField):
        return False  # stained where the row is saved: its text is bound to the row
    if isinstance(field, models.JSONField):
        return True
    return isinstance(field, TEXTS) and (field.max_length or SHORTEST) >= SHORTEST


def _stained(field: Any, row: Any, desks: Desks, number: int) -> Any:
    if isinstance(field, models.JSONField):
        value = getattr(row, field.attname)
        return [desks.long] if isinstance(value, list) else {**(value or {}), "note": desks.long}
    text = f"{desks.long} {number}"
    room = field.max_length or len(text)
    return text if len(text) <= room else f"{desks.short}{number}"[:room]


def texts_of(model: type[models.Model]) -> Iterator[str]:
    """The fields of a table that the canary was written to."""
    for field in model._meta.concrete_fields:
        if _is_text(field):
            yield field.attname
