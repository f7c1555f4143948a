"""The demo's two desks. Made once; later runs find them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.enums import ApiScope, Role
from accounts.models import ApiToken, Tenant, User
from accounts.services import add_member, create_tenant
from accounts.tenancy import tenant_scope
from accounts.tokens import create_token, revoke_token
from config.demo.leader import make_leader
from customers.enums import AccountStatus, Market
from customers.models import Customer, ExchangeAccount
from customers.services import create_customer, pause_account, recheck_keys
from signals.models import SignalSource
from signals.services import create_api_source, create_source
from strategies.enums import OpenOrders, SizingMode
from strategies.models import Strategy, Subscription
from strategies.services import create_strategy, pause_subscription, subscribe
from trading.enums import DecisionOutcome, Reason, Scope, TradingMode
from trading.paper import open_paper_account
from trading.switch import set_mode

INSTRUMENT = "BTC-USDT-SWAP"
SOURCE = "Trend alerts"
PROGRAMS = "Programs"
NAMES = (
    "Alice Moreau", "Bob Tanaka", "Carla Rossi", "Daniel Weber", "Elena Petrova",
    "Farid Haddad", "Grace Okafor", "Hugo Lindqvist", "Ines Carvalho", "Jonas Berg",
    "Keiko Sato", "Liam Byrne", "Mei Chen", "Nadia Karimi", "Oscar Nilsson",
    "Priya Nair", "Quentin Dubois", "Rosa Jimenez", "Stefan Novak", "Tara Singh",
    "Umar Farooq", "Vera Kowalski", "Wei Zhang", "Ximena Flores", "Yusuf Demir",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the demo's opening must end in for one customer."""

    outcome: DecisionOutcome = DecisionOutcome.COPIED
    reason: Reason = Reason.NONE


COPIED = Expectation()


@dataclass(frozen=True, slots=True)
class Follower:
    """One customer of the first desk: funds in USDT, and what is particular about them."""

    funds: int
    expected: Expectation = COPIED
    account: dict[str, Any] = field(default_factory=dict)
    subscription: dict[str, Any] = field(default_factory=dict)
    quirk: str = ""


def _refused(reason: Reason, outcome: DecisionOutcome = DecisionOutcome.DENIED) -> Expectation:
    return Expectation(outcome, reason)


SKIPPED = DecisionOutcome.SKIPPED
PARTICULAR = {
    4: Follower(80_000, subscription={"follow_ratio": Decimal("0.25")}),
    8: Follower(
        40_000,
        Expectation(reason=Reason.CAPPED),
        account={"max_order_notional": Decimal(2500)},
    ),
    11: Follower(
        25_000,
        _refused(Reason.ORDER_NOTIONAL_ABOVE_LIMIT),
        account={"max_order_notional": Decimal(5)},
    ),
    14: Follower(25_000, _refused(Reason.DAILY_LIMIT), account={"max_daily_notional": Decimal(0)}),
    17: Follower(25_000, _refused(Reason.LINK_PAUSED, SKIPPED), quirk="pause_subscription"),
    19: Follower(
        5_000,
        _refused(Reason.BELOW_MIN, SKIPPED),
        subscription={"follow_ratio": Decimal("0.0001")},
    ),
    21: Follower(25_000, _refused(Reason.ACCOUNT_DISABLED), quirk="pause_account"),
    23: Follower(25_000, _refused(Reason.REDUCE_ONLY), quirk="reduce_only"),
}
FOLLOWERS = {
    name: PARTICULAR.get(number, Follower(10_000 + 2_500 * (number % 9)))
    for number, name in enumerate(NAMES)
}
# Who may look into the portal: one who is copied, and one who must ask why not.
PORTAL = {"customer": ("alice", "Alice Moreau"), "customer-2": ("tara", "Tara Singh")}
PROGRAM = "Demo program"
DESK_ROLES = (Role.OWNER, Role.TRADER, Role.RISK, Role.SUPPORT, Role.AUDITOR, Role.INTEGRATOR)


@dataclass(frozen=True, slots=True)
class World:
    """What the rest of the demo needs to know about the desks."""

    tenant: Tenant
    source: SignalSource
    secret: str
    logins: dict[str, tuple[str, str]]
    token: str


def derived(purpose: str, length: int = 32) -> str:
    """A value of this installation's own, the same in every run and nowhere else."""
    digest = hmac.new(settings.SECRET_KEY.encode(), purpose.encode(), hashlib.sha256)
    return digest.hexdigest()[:length]


def make_world(followers: Mapping[str, Follower] = FOLLOWERS) -> World:
    """Make, or find, two desks with their people, sources, strategies and paper accounts."""
    logins: dict[str, tuple[str, str]] = {}
    first = _desk("Harbour Desk", "harbour")
    second = _desk("Ridge Desk", "ridge")
    for role in DESK_ROLES:
        logins[role.value] = _member(first, role, role.value)
    logins["ridge-owner"] = _member(second, Role.OWNER, "ridge-owner")
    logins["admin"] = _superuser("admin")
    source, secret = _source(first)
    other, _ = _source(second)
    _strategies(first, source)
    _strategies(second, other)
    with tenant_scope(first):
        for name, follower in followers.items():
            _customer(first, name, follower)
        for label, (username, name) in PORTAL.items():
            if name in followers:
                logins[label] = _portal_user(first, username, name)
        token = _token()
    make_leader(first, _leader_keys())
    with tenant_scope(second):
        for name in ("Anton Keller", "Beatrix Vos", "Cem Aydin"):
            _customer(second, name, Follower(20_000))
    return World(first, source, secret, logins, token)


def _leader_keys() -> dict[str, str]:
    return {
        "api_key": f"leader-{derived('leader key', 24)}",
        "api_secret": derived("leader secret"),
        "passphrase": derived("leader passphrase", 16),
    }


def _desk(name: str, slug: str) -> Tenant:
    return Tenant.objects.filter(slug=slug).first() or create_tenant(name=name, slug=slug)


def _member(tenant: Tenant, role: Role, username: str) -> tuple[str, str]:
    user, password = _user(username)
    with tenant_scope(tenant):
        add_member(user=user, tenant=tenant, role=role)
    return username, password


def _user(username: str, **flags: bool) -> tuple[User, str]:
    password = f"demo-{username}-{derived('password ' + username, 8)}"
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User.objects.create_user(
            username=username, password=password, email=f"{username}@demo.invalid", **flags
        )
    return user, password


def _superuser(username: str) -> tuple[str, str]:
    _, password = _user(username, is_superuser=True, is_staff=True)
    return username, password


def _portal_user(tenant: Tenant, username: str, name: str) -> tuple[str, str]:
    login = _member(tenant, Role.CUSTOMER, username)
    customer = Customer.objects.get(name=name)
    if customer.portal_user_id is None:
        customer.portal_user = User.objects.get(username=username)
        customer.save(update_fields=["portal_user"])
    return login


def _token() -> str:
    """A program's way in, made anew in each run: of an earlier one only a digest is left."""
    robot = User.objects.get(username=Role.INTEGRATOR.value)
    for earlier in ApiToken.objects.filter(name=PROGRAM, revoked_at=None):
        revoke_token(token=earlier, actor=None, reason="The demo was started again")
    scopes = [scope.value for scope in ApiScope]
    made = create_token(
        name=PROGRAM, user=robot, scopes=scopes, lifetime=timedelta(days=30), actor=None
    )
    return made.text


def _source(tenant: Tenant) -> tuple[SignalSource, str]:
    """A webhook source whose secret can be shown in every run, since this is a demo; and one
    for programs, which no strategy follows."""
    secret = derived(f"webhook {tenant.slug}", 48)
    with tenant_scope(tenant), transaction.atomic():
        source = SignalSource.objects.filter(name=SOURCE).first()
        if source is None:
            made = create_source(name=SOURCE, market=Market.SIMULATOR, actor=None)
            source = made.source
            source.secret = secret
            source.save()
        if not SignalSource.objects.filter(name=PROGRAMS).exists():
            create_api_source(name=PROGRAMS, market=Market.SIMULATOR, actor=None)
    return source, secret


def _strategies(tenant: Tenant, source: SignalSource) -> None:
    with tenant_scope(tenant), transaction.atomic():
        if Strategy.objects.filter(name="Trend").exists():
            return
        create_strategy(
            name="Trend",
            sources=[source],
            actor=None,
            follow_ratio=Decimal("0.1"),
            open_orders=OpenOrders.MARKET,
            max_leverage=Decimal(3),
        )
        create_strategy(
            name="Ether, fixed 500",
            sources=[source],
            actor=None,
            instruments=["ETH-USDT-SWAP"],
            sizing_mode=SizingMode.FIXED_NOTIONAL,
            fixed_notional=Decimal(500),
            open_orders=OpenOrders.MARKET,
            max_leverage=Decimal(2),
        )


def _customer(tenant: Tenant, name: str, follower: Follower) -> None:
    """The customer with a paper account that follows; what an interrupted run left is finished."""
    customer = Customer.objects.filter(name=name).first() or create_customer(
        name=name, actor=None, email=_email(name)
    )
    account = _account(customer, follower)
    if Subscription.objects.filter(account__customer=customer).exists():
        return
    with transaction.atomic():
        subscription = subscribe(
            strategy=Strategy.objects.get(name="Trend"),
            account=account,
            actor=None,
            **follower.subscription,
        )
        _apply_quirk(follower.quirk, tenant, account, subscription)


def _account(customer: Customer, follower: Follower) -> ExchangeAccount:
    """The customer's first account; of paper accounts, what the simulator lost is opened again."""
    rows = list(ExchangeAccount.objects.filter(customer=customer).order_by("pk"))
    for row in rows:
        if row.is_paper and row.status != AccountStatus.ARCHIVED:
            recheck_keys(account=row, actor=None)
    return (
        rows[0]
        if rows
        else open_paper_account(
            customer=customer,
            label="main",
            balances={"USDT": Decimal(follower.funds)},
            actor=None,
            **follower.account,
        )
    )


def _apply_quirk(quirk: str, tenant: Tenant, account: ExchangeAccount, subscription: Any) -> None:
    if quirk == "pause_subscription":
        pause_subscription(subscription=subscription, actor=None, reason="On holiday")
    elif quirk == "pause_account":
        pause_account(account=account, reason="Asked us to wait", actor=None)
    elif quirk == "reduce_only":
        set_mode(
            mode=TradingMode.REDUCE_ONLY,
            reason="Moving the account",
            actor=None,
            tenant=tenant,
            scope=Scope.ACCOUNT,
            target=account,
        )


def _email(name: str) -> str:
    return f"{name.lower().replace(' ', '.')}@demo.invalid"


def unverified(tenants: Iterable[Tenant]) -> list[str]:
    """Accounts whose key has not passed the check yet."""
    waiting = []
    for tenant in tenants:
        with tenant_scope(tenant):
            rows = ExchangeAccount.objects.select_related("customer")
            waiting += [str(row) for row in rows if not row.is_verified]
    return waiting
