"""What a person does in the back office: come in, and walk from an order back to its cause."""

from __future__ import annotations

import uuid
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.tenancy import tenant_scope
from config.backoffice.sidebar import GROUPS
from tests.factories import PASSWORD
from tests.world import World, make_world
from trading.actions import cancel_order
from trading.models import LedgerAudit, Order, Position, Protection, Repair
from trading.protecting import protect_position

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
# How far the list scrolls sideways, and the heads that do not end where their figures end.
MEASURED = """() => {
  const table = document.querySelector('#result_list');
  if (!table) return [0, []];
  const box = table.closest('.simplebar-content-wrapper') || table.parentElement;
  const row = table.querySelector('.data-row');
  const apart = [...row.children].flatMap((cell, place) => {
    const figures = cell.querySelector(':scope > .num-col');
    if (!figures || !place) return [];
    const head = table.querySelectorAll('thead th')[place];
    const inner = head.querySelector(':scope > div');
    const end = [...inner.children].pop().getBoundingClientRect().right;
    const far = Math.abs(end - figures.getBoundingClientRect().right);
    return far > 2 ? [head.innerText.trim()] : [];
  });
  return [box.scrollWidth - box.clientWidth, apart];
}"""


@pytest.fixture
def world() -> World:
    return make_world("North desk", 1, customers=15)


def enter(context: BrowserContext, served: str, username: str) -> tuple[Page, list[str]]:
    """Log in by the form; the list collects everything the console complains about."""
    # This server has no sockets; test_live.py is about them.
    context.route_web_socket("**/ws/live/", lambda socket: None)
    page, complaints = context.new_page(), []
    page.on(
        "console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served}/admin/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_selector("#attention")
    return page, complaints


def test_from_an_order_back_to_its_signal(browser: Browser, served: str, world: World) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, complaints = enter(context, served, world.owner.username)

    page.click("nav >> text=Orders")
    page.click("#result_list tbody tr:first-child th a")
    assert "/admin/trading/order/" in page.url
    order_page = page.url
    page.click("#to-decision")
    assert "/admin/trading/decision/" in page.url
    assert "Numbers used" in page.inner_text("#content-main")
    page.click("#to-signal")
    assert "/admin/signals/signal/" in page.url
    assert "Payload as received" in page.inner_text("#content-main")

    page.goto(order_page)
    page.click("#to-signal")
    assert "/admin/signals/signal/" in page.url
    assert complaints == []
    context.close()


def asked_of(world: World) -> tuple[Order, Position, Protection]:
    """A limit order that is being canceled, and a position with a stop loss."""
    with tenant_scope(world.tenant):
        waiting = next(order for order in world.orders if order.state == "live")
        Order.objects.filter(pk=waiting.pk).update(order_type="limit", price=60_000)
        cancel_order(order=waiting, reason="No longer wanted", actor=world.owner)
        held = Position.objects.filter(quantity__gt=0, inst_id="BTC-USDT-SWAP")[0]
        kept = protect_position(
            position=held, take_profit=None, stop_loss=Decimal(50_000), actor=world.owner
        )
    return waiting, held, kept


@pytest.mark.long
@pytest.mark.parametrize(("size", "theme"), [("desktop", "light"), ("phone", "dark")])
def test_pages_in_every_light(
    browser: Browser, served: str, world: World, pictures: Path, theme: str, size: str
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
    )
    page, complaints = enter(context, served, world.owner.username)
    unknown = next(order for order in world.orders if order.state == "unknown")
    waiting, held, kept = asked_of(world)

    for name, path in (
        ("dashboard", "/admin/"),
        ("order", f"/admin/trading/order/{unknown.pk}/change/"),
        ("orders", "/admin/trading/order/"),
        ("unsettled", "/admin/unsettled/"),
        ("settle", f"/admin/trading/order/{unknown.pk}/settle/"),
        ("repairs", "/admin/trading/repair/"),
        ("repair", f"/admin/trading/repair/{_foreign(world)}/decide/"),
        ("beside", "/admin/beside/"),
        ("close", f"/admin/close/?account={held.account_id}"),
        ("cancel", f"/admin/cancel/?account={waiting.account_id}"),
        ("audits", "/admin/trading/ledgeraudit/"),
        ("audit", f"/admin/trading/ledgeraudit/{_unclean_audit(world)}/change/"),
        ("signal", f"/admin/signals/signal/{unknown.signal_id}/change/"),
        ("account", f"/admin/customers/exchangeaccount/{unknown.account_id}/change/"),
        ("asked", f"/admin/trading/order/{waiting.pk}/change/"),
        ("amend", f"/admin/trading/order/{waiting.pk}/ask/?do=amend"),
        ("position", f"/admin/trading/position/{held.pk}/change/"),
        ("protect", f"/admin/trading/position/{held.pk}/protect/"),
        ("protection", f"/admin/trading/protection/{kept.pk}/change/"),
        ("protections", "/admin/trading/protection/"),
        ("switch", "/admin/switch/"),
        ("password", "/admin/me/step-up/"),
        ("manual", "/admin/signals/new/"),
        ("preview", "/admin/preview/"),
        ("strategy", f"/admin/strategies/strategy/{world.strategies[0].pk}/change/"),
        ("subscription", f"/admin/strategies/subscription/{world.subscriptions[0].pk}/change/"),
    ):
        page.goto(f"{served}{path}")
        page.wait_for_load_state("load")
        page.screenshot(path=pictures / f"{name}-{size}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("document.documentElement.classList.contains('dark')") == (
            theme == "dark"
        )

    assert complaints == []
    context.close()


def _foreign(world: World) -> uuid.UUID:
    with tenant_scope(world.tenant):
        found: uuid.UUID = Repair.objects.filter(kind="foreign")[0].pk
    return found


def _unclean_audit(world: World) -> int:
    with tenant_scope(world.tenant):
        return int(LedgerAudit.objects.get(is_clean=False).pk)


@pytest.mark.long
def test_lists_fit_a_small_desktop(browser: Browser, served: str, world: World) -> None:
    """No list scrolls sideways at 1280, and the heads of figures stand over them."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page, complaints = enter(context, served, world.owner.username)
    lists = [item.model for _title, items in GROUPS for item in items if item.model]

    wide, crooked = {}, {}
    for label in ("trading.ExternalOrder", *sorted(set(lists) - {"accounts.Tenant"})):
        page.goto(f"{served}/admin/{label.replace('.', '/').lower()}/")
        sideways, apart = page.evaluate(MEASURED)
        if sideways > 1:
            wide[label] = sideways
        if apart:
            crooked[label] = apart

    assert wide == {}
    assert crooked == {}
    assert complaints == []
    context.close()
