"""Breakers in the back office, and the notice of maintenance on everybody's pages."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.enums import Role
from accounts.models import AuditEntry, Installation, Tenant
from accounts.stepup import SESSION_KEY
from accounts.tenancy import all_tenants, tenant_scope
from customers.models import Customer, ExchangeAccount
from tests import factories as make
from trading.admin.in_force import in_force
from trading.breakers import Place, open_breaker
from trading.enums import BreakerCause, LimitKind, Scope
from trading.models import Breaker, ClockReading, Maintenance, MarketWatch
from trading.switch import set_limit

pytestmark = pytest.mark.django_db
LIST = "admin:trading_breaker_changelist"


@pytest.fixture
def desk() -> Tenant:
    Installation.objects.get_or_create(pk=1)
    desk = make.make_tenant("North desk", timezone="Asia/Shanghai")
    make.make_account(make.make_customer(desk))
    return desk


def signed_in(desk: Tenant, role: Role = Role.OWNER, *, sure: bool = True) -> Client:
    client = Client()
    client.force_login(make.make_user(role, tenant=desk))
    if sure:
        client.post(reverse("accounts:step_up"), {"password": make.PASSWORD, "next": "/admin/"})
        assert SESSION_KEY in client.session
    return client


def opened(desk: Tenant, *, whole_market: bool = False) -> Breaker:
    with tenant_scope(desk):
        account = ExchangeAccount.objects.get()
    place = Place("simulator") if whole_market else Place("simulator", account)
    cause = BreakerCause.UNKNOWN_SENDS if whole_market else BreakerCause.REJECTS
    open_breaker(place, cause, "5 orders refused in a row")
    with all_tenants("find it"):
        return Breaker.objects.get()


def close(client: Client, row: Breaker, **form: str) -> Any:
    asked = {"action": "close_now", "_selected_action": str(row.pk), **form}
    return client.post(reverse(LIST), asked, follow=True)


def state(row: Breaker) -> str:
    with all_tenants("read it"):
        return str(Breaker.objects.get(pk=row.pk).state)


def test_a_breaker_is_closed_with_a_reason_after_a_page_that_says_what_follows(
    desk: Tenant,
) -> None:
    row, client = opened(desk), signed_in(desk, Role.RISK)
    assert "5 orders refused in a row" in client.get(reverse(LIST)).content.decode()

    page = close(client, row).content.decode()
    assert "Openings go on at once" in page
    assert state(row) == "open"
    close(client, row, confirmed="1", reason="The margin was topped up")

    assert state(row) == "closed"
    with tenant_scope(desk):
        entry = AuditEntry.objects.get(action="breaker.closed")
    assert (entry.reason, entry.actor_id is not None) == ("The margin was topped up", True)


@pytest.mark.parametrize(
    ("label", "role", "sure", "reason"),
    [
        ("may only tighten", Role.TRADER, True, "why not"),
        ("password too long ago", Role.RISK, False, "why not"),
        ("no reason", Role.RISK, True, " "),
    ],
)
def test_otherwise_it_stays_open(
    desk: Tenant, label: str, role: Role, sure: bool, reason: str
) -> None:
    row = opened(desk)
    client = signed_in(desk, role, sure=False)
    if sure:
        client = signed_in(desk, role)

    close(client, row, confirmed="1", reason=reason)

    assert state(row) == "open", label


def test_a_market_s_breaker_is_not_a_desk_s_to_close(desk: Tenant) -> None:
    row = opened(desk, whole_market=True)

    answer = close(signed_in(desk), row, confirmed="1", reason="why not")

    assert state(row) == "open"
    assert "only an administrator of the installation" in answer.content.decode()


def test_the_dashboard_names_open_breakers_and_halted_clocks(desk: Tenant) -> None:
    opened(desk)
    ClockReading.objects.create(
        key="a", market="simulator", process="a", offset_ms=-5000, is_halted=True,
        read_at=timezone.now(),
    )  # fmt: skip

    page = signed_in(desk).get(reverse("admin:index")).content.decode()

    assert "Breaker open" in page
    assert "Clock off: nothing is sent to" in page
    assert "are 5.0 s apart" in page or "are 5 s apart" in page


def announce(begins_in: timedelta, **fields: Any) -> Maintenance:
    begins = timezone.now() + begins_in
    known = {
        "market": "simulator",
        "identity": "a",
        "title": "Unified account upgrade",
        "state": "scheduled" if begins_in > timedelta(0) else "ongoing",
        "service_type": "5",
        "stops_trading": True,
        "begins_at": begins,
        "ends_at": begins + timedelta(hours=1),
        "seen_at": timezone.now(),
    }
    return Maintenance.objects.create(**{**known, **fields})


@pytest.mark.parametrize(
    ("label", "begins_in", "fields", "words"),
    [
        ("tomorrow", timedelta(hours=23), {}, "OKX announces maintenance"),
        ("now", timedelta(minutes=-5), {}, "OKX is in maintenance"),
        ("next week", timedelta(days=7), {}, None),
        ("sockets only", timedelta(hours=1), {"stops_trading": False}, None),
        ("another market", timedelta(hours=1), {"market": "live-us"}, None),
        ("over", timedelta(hours=-2), {"state": "completed"}, None),
    ],
)
def test_every_page_tells_of_maintenance_that_is_near(
    desk: Tenant, label: str, begins_in: timedelta, fields: dict[str, Any], words: str | None
) -> None:
    row = announce(begins_in, **fields)
    client = signed_in(desk)

    for name in ("admin:index", LIST, "admin:switch"):
        page = client.get(reverse(name)).content.decode()
        told = "OKX announces maintenance" in page or "OKX is in maintenance" in page
        assert told == (words is not None), (label, name)
        if words:
            assert words in page
            assert "Unified account upgrade" in page
            # In the zone of the desk, not in UTC.
            assert f"{row.ends_at.astimezone(desk.zone):%H:%M}" in page


def test_customers_see_it_too(desk: Tenant) -> None:
    from tests.portal.desk import portal_user

    announce(timedelta(minutes=-5))
    with tenant_scope(desk):
        user = portal_user(Customer.objects.get(), "carol")
    client = Client()
    client.force_login(user)

    page = client.get(reverse("portal:overview")).content.decode()

    assert "OKX is in maintenance" in page
    assert "Nothing new is opened" in page


def test_the_list_of_limits_begins_with_what_binds_and_who_set_it(
    desk: Tenant, settings: Any
) -> None:
    settings.LIMITS = {"leverage": Decimal(20), "spread": Decimal("0.01")}
    owner = make.make_user(Role.RISK, tenant=desk)
    set_limit(kind=LimitKind.LEVERAGE, value=Decimal(50), actor=owner, tenant=desk)
    set_limit(kind=LimitKind.SPREAD, value=Decimal("0.005"), actor=owner, tenant=desk)
    set_limit(
        kind=LimitKind.SPREAD, value=Decimal("0.001"), actor=owner, tenant=desk,
        scope=Scope.INSTRUMENT, target="BTC-USDT-SWAP",
    )  # fmt: skip

    with tenant_scope(desk):
        bounds = {bound.kind: bound for bound in in_force()}
    page = signed_in(desk).get(reverse("admin:trading_limit_changelist")).content.decode()

    assert len(bounds) == len(LimitKind)
    leverage, spread = bounds[LimitKind.LEVERAGE], bounds[LimitKind.SPREAD]
    assert (leverage.value, leverage.whose, leverage.by) == (20, "Whole installation", "settings")
    assert (spread.value, spread.whose, spread.by) == (Decimal("0.005"), "Desk", str(owner))
    assert spread.narrower == 1
    assert bounds[LimitKind.ORDER_NOTIONAL].value is None
    assert "In force for the whole desk" in page


def test_every_list_and_record_about_the_exchange_is_shown(desk: Tenant) -> None:
    opened(desk)
    announce(timedelta(hours=1))
    now = timezone.now()
    MarketWatch.objects.create(market="simulator", read_at=now, tried_at=now)
    ClockReading.objects.create(
        key="simulator|a 1", market="simulator", process="a 1", offset_ms=700, read_at=now
    )
    client = signed_in(desk)

    for model in (Breaker, Maintenance, MarketWatch, ClockReading):
        with all_tenants("find one"):
            row = model.objects.get()
        name = f"admin:trading_{model._meta.model_name}"
        assert client.get(reverse(f"{name}_changelist")).status_code == 200
        assert client.get(reverse(f"{name}_change", args=(row.pk,))).status_code == 200
