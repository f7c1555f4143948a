"""Rows for tests, made as the product makes them. Plain functions; no scope needs to be open.

Every function that makes a tenant's row opens that tenant's scope itself; reading rows back
in a test still needs `with tenant_scope(...)`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from accounts.enums import Role
from accounts.fields import hash_identity
from accounts.models import Membership, Tenant, User
from accounts.tenancy import tenant_scope
from customers.enums import KeyStatus, Market, PositionMode
from customers.models import Customer, ExchangeAccount
from signals.models import SignalSource
from strategies.enums import OpenOrders
from strategies.models import Strategy, StrategySource, Subscription
from trading.models import Instrument, MarketPrice

if TYPE_CHECKING:
    from datetime import datetime

_numbers = itertools.count(1)
SECRET = "webhook-secret-of-the-tests-0123456789"
PASSWORD = "correct horse battery staple"


def make_tenant(name: str = "", **fields: Any) -> Tenant:
    number = next(_numbers)
    fields.setdefault("slug", f"desk-{number}")
    return Tenant.objects.create(name=name or f"Desk {number}", **fields)


def make_user(
    role: Role | str | None = Role.OWNER,
    *,
    tenant: Tenant | None = None,
    username: str = "",
    **fields: Any,
) -> User:
    """A user who may sign in with PASSWORD; with a role, a member of a (new) desk."""
    username = username or f"user{next(_numbers)}"
    user = User.objects.create_user(username=username, password=PASSWORD, **fields)
    if role is not None:
        Membership.objects.create(tenant=tenant or make_tenant(), user=user, role=role)
    return user


def make_token(
    user: User,
    tenant: Tenant,
    scopes: Sequence[str] = ("read", "signals:write", "trade"),
    **fields: Any,
) -> str:
    """The text of a new API token that acts for this member of the desk."""
    from accounts.tokens import create_token

    fields.setdefault("name", f"Program {next(_numbers)}")
    fields.setdefault("lifetime", timedelta(days=30))
    with tenant_scope(tenant):
        return create_token(user=user, scopes=scopes, actor=user, **fields).text


def make_customer(tenant: Tenant | None = None, **fields: Any) -> Customer:
    tenant = tenant or make_tenant()
    fields.setdefault("name", f"Customer {next(_numbers)}")
    with tenant_scope(tenant):
        return Customer.objects.create(tenant=tenant, **fields)


def make_account(
    customer: Customer | None = None,
    *,
    verified: bool = True,
    tenant: Tenant | None = None,
    api_key: str = "",
    api_secret: str = "a-secret",
    passphrase: str = "a-passphrase",
    **fields: Any,
) -> ExchangeAccount:
    """An account of a customer; unverified ones have no key at all unless `api_key` is given."""
    from accounts.fields import fingerprint

    customer = customer or make_customer(tenant)
    number = next(_numbers)
    fields.setdefault("label", f"account {number}")
    fields.setdefault("market", Market.SIMULATOR)
    if verified or api_key:
        api_key = api_key or f"key-{number:08d}"
        fields.update(
            api_key=api_key,
            api_secret=api_secret,
            passphrase=passphrase,
            key_last4=api_key[-4:],
            key_fingerprint=fingerprint(api_key),
            key_version=1,
            key_status=KeyStatus.PENDING,
        )
    if verified:
        fields.update(
            key_status=KeyStatus.VERIFIED,
            key_permissions=["read_only", "trade"],
            account_level="2",
            exchange_uid=str(10_000 + number),
            verified_at=timezone.now(),
        )
        fields.setdefault("position_mode", PositionMode.NET)
        fields.setdefault("initial_balance", Decimal(10_000))
    with tenant_scope(customer.tenant_id):
        return ExchangeAccount.objects.create(
            tenant_id=customer.tenant_id, customer=customer, **fields
        )


def make_source(
    tenant: Tenant | None = None,
    *,
    secret: str = SECRET,
    token: str = "",
    **fields: Any,
) -> SignalSource:
    """A webhook source signing with `secret`; with a `token` also reachable under it."""
    tenant = tenant or make_tenant()
    fields.setdefault("name", f"Source {next(_numbers)}")
    fields.setdefault("market", Market.SIMULATOR)
    if token:
        fields["token_hash"] = hash_identity(token)
    with tenant_scope(tenant):
        return SignalSource.objects.create(tenant=tenant, secret=secret, **fields)


def make_strategy(
    source: SignalSource | None = None,
    *,
    tenant: Tenant | None = None,
    sources: Sequence[SignalSource] = (),
    **fields: Any,
) -> Strategy:
    """A strategy following `source` (a new one unless given) and `sources`, at the market."""
    source = source or (None if sources else make_source(tenant))
    followed = [*([source] if source else []), *sources]
    tenant_id = followed[0].tenant_id
    fields.setdefault("name", f"Strategy {next(_numbers)}")
    fields.setdefault("open_orders", OpenOrders.MARKET)
    with tenant_scope(tenant_id):
        strategy = Strategy.objects.create(tenant_id=tenant_id, **fields)
        for each in followed:
            StrategySource.objects.create(tenant_id=tenant_id, strategy=strategy, source=each)
    return strategy


def subscribe(
    strategy: Strategy | None = None, account: ExchangeAccount | None = None, **fields: Any
) -> Subscription:
    strategy = strategy or make_strategy()
    with tenant_scope(strategy.tenant_id):
        account = account or make_account(make_customer(strategy.tenant))
        return Subscription.objects.create(
            tenant_id=strategy.tenant_id, strategy=strategy, account=account, **fields
        )


def make_instrument(
    inst_id: str = "BTC-USDT-SWAP", *, market: str = Market.SIMULATOR, **fields: Any
) -> Instrument:
    """The instrument as OKX lists it: 0.01 BTC per contract, lots of 0.01, ticks of 0.1."""
    base, quote, *swap = inst_id.split("-")
    inverse = bool(swap) and quote == "USD"
    defaults: dict[str, Any] = {
        "inst_type": "SWAP" if swap else "SPOT",
        "base_currency": base,
        "quote_currency": quote,
        "settle_currency": (base if inverse else quote) if swap else "",
        "contract_value": Decimal(100 if inverse else "0.01") if swap else Decimal(1),
        "contract_type": ("inverse" if inverse else "linear") if swap else "",
        "lot_size": Decimal("0.01"),
        "tick_size": Decimal("0.1"),
        "min_size": Decimal("0.01"),
        "max_market_size": Decimal(10_000),
        "max_limit_size": Decimal(1_000_000),
        "max_leverage": Decimal(100) if swap else None,
        "state": "live",
        "updated_at": timezone.now(),
    }
    instrument, _ = Instrument.objects.update_or_create(
        market=market, inst_id=inst_id, defaults=defaults | fields
    )
    return instrument


def set_price(
    inst_id: str = "BTC-USDT-SWAP",
    price: Decimal | str | int = 60_000,
    *,
    market: str = Market.SIMULATOR,
    at: datetime | None = None,
    **fields: Any,
) -> MarketPrice:
    """Last, mark, bid and ask at `price`, one moment ago unless `at` says otherwise."""
    price, at = Decimal(price), at or timezone.now()
    defaults = {"last": price, "bid": price, "ask": price, "mark": price}
    defaults |= {"ticker_at": at, "mark_at": at}
    row, _ = MarketPrice.objects.update_or_create(
        market=market, inst_id=inst_id, defaults=defaults | fields
    )
    return row
