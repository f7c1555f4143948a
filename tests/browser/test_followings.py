"""The pages of followings: how they end, their shadows, and what would be decided today."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser

from accounts.fields import uuid7
from accounts.tenancy import tenant_scope
from signals.models import Signal
from strategies.models import Subscription
from tests import factories as make
from tests.browser.test_admin import SIZES, enter
from tests.world import World, make_world
from trading.models import Cycle, Decision

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world() -> World:
    return make_world("North desk", 1, customers=15)


def shadowed(world: World) -> Subscription:
    """A following with a shadow that decided the same signals, one of them otherwise."""
    with tenant_scope(world.tenant):
        keys = Decision.objects.filter(subscription__isnull=False, subscription__status="active")
        live = Subscription.objects.get(pk=keys.order_by("-decided_at")[0].subscription_id)
        since = timezone.now() - timedelta(days=400)
        account = make.make_account(live.account.customer, label="Shadow", is_shadow=True)
        shadow = Subscription.objects.create(
            tenant=world.tenant,
            strategy=live.strategy,
            account=account,
            is_shadow=True,
            shadow_of=live,
            started_at=since,
        )
        for number, one in enumerate(Decision.objects.filter(link_uid=live.uid)):
            one.pk, one.link_uid, one.account, one.subscription = (
                uuid7(), shadow.uid, account, shadow,
            )  # fmt: skip
            if number == 0:
                one.outcome, one.reason = "skipped", "SLIPPAGE"
            one._state.adding = True
            one.save(force_insert=True)
    return shadow


def left(world: World) -> Subscription:
    with tenant_scope(world.tenant):
        cycle = Cycle.objects.filter(subscription__isnull=False, ended_at__isnull=True)[0]
        link = Subscription.objects.get(pk=cycle.subscription_id)
        Subscription.objects.filter(pk=link.pk).update(status="stopped", ending="manual_close")
    return link


@pytest.mark.parametrize(
    ("size", "theme"),
    [("desktop", "light"), ("phone", "dark")],
)
def test_pages_in_every_light(
    browser: Browser, served: str, world: World, pictures: Path, theme: str, size: str
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
    )
    shadow, link = shadowed(world), left(world)
    with tenant_scope(world.tenant):
        copied = Signal.objects.filter(status="copied", account__isnull=True)
        query = "&".join(f"id={pk}" for pk in copied.values_list("pk", flat=True)[:20])
    page, complaints = enter(context, served, world.owner.username)

    for name, path in (
        ("subscriptions", "/admin/strategies/subscription/"),
        ("left", "/admin/strategies/subscription/?ending=left"),
        ("subscription", f"/admin/strategies/subscription/{link.pk}/change/"),
        ("subscribe", "/admin/strategies/subscription/add/"),
        ("shadows", "/admin/shadows/"),
        ("shadow", f"/admin/strategies/subscription/{shadow.pk}/shadow/"),
        ("replay", f"/admin/signals/replay/?{query}"),
    ):
        page.goto(f"{served}{path}")
        page.wait_for_load_state("load")
        page.screenshot(path=pictures / f"{name}-{size}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name

    assert complaints == []
    context.close()
