"""To put a key in another's place and to allow more than before takes a recent password."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from accounts.enums import Role
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from customers.models import ExchangeAccount
from tests import factories as make
from tests.config.test_backoffice_actions import KEYS, confirm_password, desk, signed_in
from trading.enums import LimitKind, LossMeasure, LossPeriod, LossScope
from trading.models import Limit, LossLimit, MarginThreshold
from trading.stops.rules import set_loss_limit, set_margin_threshold
from trading.switch import set_limit

pytestmark = [pytest.mark.database_long, pytest.mark.django_db]
__all__ = ["desk"]
D = Decimal


def asks(answer: Any) -> bool:
    asked: bool = answer.status_code == 302
    return asked and str(answer["Location"]).startswith(reverse("accounts:step_up"))


def test_another_key_in_the_place_of_a_stored_one(desk: Tenant) -> None:
    account = make.make_account(make.make_customer(desk))
    page = reverse("admin:customers_exchangeaccount_change", args=(account.pk,))
    client = signed_in(desk)

    assert asks(client.post(page, {"label": "renamed", **KEYS}))

    with tenant_scope(desk):
        stored = ExchangeAccount.objects.get()
    assert (stored.key_version, stored.key_last4) == (account.key_version, account.key_last4)
    assert stored.label == account.label
    confirm_password(client)
    assert client.post(page, {"label": "renamed", **KEYS})["Location"].endswith(page)
    with tenant_scope(desk):
        assert ExchangeAccount.objects.get().key_last4 == "kkkk"


def test_a_higher_limit_also_by_the_page_for_a_new_one(desk: Tenant) -> None:
    with tenant_scope(desk):
        limit = set_limit(kind=LimitKind.ORDER_NOTIONAL, value=D(100), actor=None, tenant=desk)
    page = reverse("admin:trading_limit_change", args=(limit.pk,))
    add = reverse("admin:trading_limit_add")
    client = signed_in(desk, Role.RISK)
    new = {"kind": "order_notional", "scope": "tenant", "value": "500", "is_active": "on"}

    assert asks(client.post(page, {"value": "500", "is_active": "on"}))
    assert asks(client.post(page, {"value": "100"}))  # switched off
    assert asks(client.post(add, new))

    def value() -> Decimal:
        with tenant_scope(desk):
            found: Decimal = Limit.objects.get(pk=limit.pk).value
        return found

    assert value() == 100
    assert not asks(client.post(page, {"value": "50", "is_active": "on"}))
    assert value() == 50
    confirm_password(client)
    assert not asks(client.post(page, {"value": "500", "is_active": "on"}))
    assert value() == 500


def test_a_loss_limit_and_a_margin_threshold_that_allow_more(desk: Tenant) -> None:
    with tenant_scope(desk):
        loss = set_loss_limit(
            LossLimit(
                scope=LossScope.TENANT, period=LossPeriod.DAY, measure=LossMeasure.EQUITY,
                max_absolute=D(100),
            ),
            actor=None,
        )  # fmt: skip
        margin = set_margin_threshold(MarginThreshold(level="block", ratio=D(3)), actor=None)
    pages = {
        reverse("admin:trading_losslimit_change", args=(loss.pk,)): {
            "max_absolute": "900", "action": "hold", "is_active": "on", "reason": "agreed",
        },
        reverse("admin:trading_marginthreshold_change", args=(margin.pk,)): {
            "ratio": "2", "reason": "agreed",
        },
    }  # fmt: skip
    client = signed_in(desk, Role.RISK)
    for page, form in pages.items():
        assert asks(client.post(page, form))
    with tenant_scope(desk):
        assert LossLimit.objects.get().max_absolute == 100
        assert MarginThreshold.objects.get().ratio == 3
    confirm_password(client)
    for page, form in pages.items():
        assert not asks(client.post(page, form))
    with tenant_scope(desk):
        assert LossLimit.objects.get().max_absolute == 900
        assert MarginThreshold.objects.get().ratio == 2
