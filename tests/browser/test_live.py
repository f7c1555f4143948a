"""Open pages follow what happens, without being loaded again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from accounts.enums import Role
from accounts.models import User
from accounts.tenancy import tenant_scope
from config.demo.http import call
from config.demo.run import signed
from customers.models import ExchangeAccount
from signals.models import SignalSource
from tests import factories as make
from tests.live_rows import make_orders, step
from tests.live_web import Web, layers, session_cookie, web_on_this_database
from trading.enums import EventSource, OrderState
from trading.exchange.types import (
    BalanceReport,
    CurrencyBalance,
    MarginMode,
    PositionReport,
    PositionSide,
)
from trading.sync.apply.balance import apply_balance
from trading.sync.apply.positions import apply_positions

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LIVE = "[data-live-status][data-state=live]"


@pytest.fixture
def account(transactional_db: None) -> ExchangeAccount:
    make.make_instrument()
    make.set_price()
    tenant = make.make_tenant("North desk")
    person = make.make_user(Role.CUSTOMER, tenant=tenant)
    return make.make_account(make.make_customer(tenant, portal_user=person))


@pytest.fixture
def source(account: ExchangeAccount) -> SignalSource:
    return make.make_source(account.tenant)


@pytest.fixture
def staff(account: ExchangeAccount) -> User:
    return make.make_user(Role.TRADER, tenant=account.tenant)


@pytest.fixture(scope="module")
def daphne(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Web]:
    """The product's web server on the database of these tests."""
    with web_on_this_database(tmp_path_factory.mktemp("live") / "web") as running:
        yield running


@pytest.fixture
def web(daphne: Web, account: ExchangeAccount, settings: Any) -> Web:
    """This process tells the server's sockets what it commits, as a worker would."""
    settings.CHANNEL_LAYERS = layers(daphne.log.parent)
    settings.LIVE_RELAY = True
    return daphne


def enter(browser: Browser, web: Web, user: User, path: str, **options: Any) -> Page:
    """The page, live; `page.complaints` collects what its console says."""
    context = browser.new_context(**options)
    context.add_cookies([{**session_cookie(user), "url": web.url}])  # type: ignore[typeddict-item]
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.complaints = complaints  # type: ignore[attr-defined]
    page.goto(f"{web.url}{path}")
    page.wait_for_selector(LIVE)
    page.evaluate("window.sameDocument = true")
    return page


def was_not_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.sameDocument === true")) and page.complaints == []  # type: ignore[attr-defined]


def send_signal(web: Web, source: SignalSource, **terms: Any) -> None:
    """A webhook, as any sender would send it."""
    body = json.dumps(
        {
            "id": "live-1", "time": datetime.now(UTC).isoformat(), "instrument": "BTC-USDT-SWAP",
            "intent": "open", "direction": "long",
            "quantity": {"mode": "contracts", "value": 5}, **terms,
        }
    ).encode()  # fmt: skip
    answer = call("POST", f"{web.url}/hooks/{source.uid}/", body, signed(make.SECRET, body))
    assert answer.ok, answer


def tell_equity(account: ExchangeAccount, total: int) -> None:
    now, amount, zero = timezone.now(), Decimal(total), Decimal(0)
    detail = CurrencyBalance(
        currency="USDT", equity=amount, cash=amount, available=amount, frozen=zero,
        unrealized_pnl=zero, updated_at=now, equity_usd=amount,
    )  # fmt: skip
    report = BalanceReport(total_equity_usd=amount, updated_at=now, details=(detail,))
    with tenant_scope(account.tenant):
        apply_balance(account, report, source=EventSource.STREAM)


@pytest.mark.long
def test_the_dashboard_follows_signals_orders_and_equity(
    browser: Browser, web: Web, staff: User, source: SignalSource, account: ExchangeAccount,
    pictures: Path,
) -> None:  # fmt: skip
    page = enter(browser, web, staff, "/admin/")
    expect(page.locator("#live-signals")).to_contain_text("No signals yet")

    send_signal(web, source)
    expect(page.locator("#live-signals tbody tr")).to_have_count(1)

    tell_equity(account, 12_345)
    expect(page.locator("#live-figures")).to_contain_text("12,345.00")

    orders = make_orders(account, 2)
    step(orders, OrderState.SENDING)
    expect(page.locator("#live-figures")).to_contain_text("0 filled, 2 waiting")
    step(orders, OrderState.FILLED, filled_quantity=Decimal(5))
    expect(page.locator("#live-figures")).to_contain_text("2 filled, 0 waiting")
    page.screenshot(path=pictures / "live-dashboard.png", full_page=True)

    assert was_not_reloaded(page)
    page.context.close()


def tell_position(account: ExchangeAccount, contracts: int) -> None:
    now, some = timezone.now(), Decimal(contracts)
    report = PositionReport(
        inst_id="BTC-USDT-SWAP", inst_type=None, position_side=PositionSide.NET,
        margin_mode=MarginMode.CROSS, quantity=some, average_price=Decimal(60_000),
        mark_price=Decimal(60_000), unrealized_pnl=some, realized_pnl=Decimal(0),
        leverage=Decimal(2), liquidation_price=None, notional_usd=some * 600, margin=some,
        initial_margin=some, maintenance_margin=some, margin_ratio=None, currency="USDT",
        position_id="1", trade_id="1", created_at=now, updated_at=now,
    )  # fmt: skip
    with tenant_scope(account.tenant):
        apply_positions(account, [report], complete=False, source=EventSource.STREAM)


def test_a_customer_sees_a_position_and_an_order_appear(
    browser: Browser, web: Web, account: ExchangeAccount, pictures: Path
) -> None:
    person = account.customer.portal_user
    assert person is not None
    phone = {"width": 390, "height": 844}
    page = enter(browser, web, person, "/portal/", viewport=phone, color_scheme="dark")
    expect(page.locator("#positions")).not_to_contain_text("BTC-USDT-SWAP")

    tell_position(account, 5)
    expect(page.locator("#positions")).to_contain_text("BTC-USDT-SWAP")
    step(make_orders(account, 1), OrderState.SENDING)
    expect(page.locator("#orders tbody tr")).to_have_count(1)
    expect(page.locator("#decisions tbody tr, #decisions li")).to_have_count(1)
    page.screenshot(path=pictures / "live-portal-phone-dark.png", full_page=True)

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert was_not_reloaded(page)
    page.context.close()


@pytest.mark.long
def test_a_list_renews_itself_but_never_under_the_pointer(
    browser: Browser, web: Web, staff: User, account: ExchangeAccount, pictures: Path
) -> None:
    [first] = make_orders(account, 1)
    page = enter(browser, web, staff, "/admin/trading/order/")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(1)

    step([first], OrderState.SENDING)
    step([first], OrderState.LIVE)
    expect(rows.first).to_contain_text("live")

    rows.first.hover()
    new = make_orders(account, 4)
    step(new, OrderState.SENDING)
    button = page.locator("#live-list-new")
    expect(button).to_have_text("4 new")
    expect(rows).to_have_count(1)
    page.screenshot(path=pictures / "live-list.png")
    button.click()
    expect(rows).to_have_count(5)
    expect(button).to_have_count(0)

    page.mouse.move(0, 0)
    step(make_orders(account, 1), OrderState.SENDING)
    expect(rows).to_have_count(6)
    assert was_not_reloaded(page)
    page.context.close()


@pytest.mark.long
def test_a_record_follows_its_order_and_keeps_what_is_open(
    browser: Browser, web: Web, staff: User, account: ExchangeAccount
) -> None:
    [order] = make_orders(account, 1)
    page = enter(browser, web, staff, f"/admin/trading/order/{order.pk}/change/")
    page.focus("#to-signal")

    step([order], OrderState.SENDING)
    step([order], OrderState.FILLED, filled_quantity=Decimal(5))

    expect(page.locator("#live-record .rec-h")).to_contain_text("Filled")
    expect(page.locator("#live-record .tl")).to_contain_text("Filled")
    assert page.evaluate("document.activeElement.id") == "to-signal"
    assert was_not_reloaded(page)
    page.context.close()


@pytest.mark.long
def test_a_lost_connection_is_said_and_made_good(
    browser: Browser, web: Web, staff: User, account: ExchangeAccount, pictures: Path
) -> None:
    [order] = make_orders(account, 1)
    page = enter(
        browser, web, staff, "/admin/trading/order/", viewport={"width": 390, "height": 844}
    )
    web.stop()
    banner = page.locator(".cd-live-banner")
    expect(banner).to_be_visible(timeout=10_000)
    expect(banner).to_contain_text("Connection lost. Figures are from")
    expect(page.locator("[data-live-status]")).to_contain_text("as of ")
    page.screenshot(path=pictures / "live-lost-phone.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    step([order], OrderState.SENDING)  # nobody hears it
    web.start()

    page.wait_for_selector(LIVE, timeout=20_000)
    expect(banner).to_be_hidden()
    expect(page.locator("#result_list")).to_contain_text("sending")
    page.context.close()


@pytest.mark.long
def test_who_is_logged_out_elsewhere_is_told_so(
    browser: Browser, web: Web, staff: User, account: ExchangeAccount
) -> None:
    page = enter(browser, web, staff, "/admin/")
    page.context.new_page().goto(f"{web.url}/admin/")
    other = page.context.pages[-1]
    other.evaluate(
        """async () => {
          const token = document.cookie.match(/csrftoken=([^;]+)/)?.[1];
          await fetch('/admin/logout/', {method: 'POST', headers: {'X-CSRFToken': token}});
        }"""
    )

    expect(page.locator(".cd-live-banner")).to_contain_text("Load the page again", timeout=10_000)
    page.context.close()
