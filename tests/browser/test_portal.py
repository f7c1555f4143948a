"""What a customer does in the portal: sign in, look, read why; on a phone and without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.tenancy import tenant_scope
from config.portal.looks import cookie_name
from tests.factories import PASSWORD
from tests.portal.desk import Portal, make_portal
from trading.models import Decision, Order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
LOOKS = [("desktop", "light", "en-GB"), ("phone", "dark", "zh-CN")]
# How much of its card the first line leaves empty, at most over all cards.
UNUSED = """() => Math.max(0, ...[...document.querySelectorAll('.tb.cards td.wide')].map((line) => {
  const card = getComputedStyle(line.parentElement);
  const room = line.parentElement.clientWidth - parseFloat(card.paddingLeft) * 2;
  return room - line.clientWidth;
}))"""
SERIOUS = {"serious", "critical"}


@pytest.fixture
def portal() -> Portal:
    return make_portal()


def enter(context: BrowserContext, served: str, portal: Portal) -> tuple[Page, list[str]]:
    """Sign in by the form; the list collects everything the console complains about."""
    # This server has no sockets; test_live.py is about them.
    context.route_web_socket("**/ws/live/", lambda socket: None)
    page, complaints = context.new_page(), []
    page.on(
        "console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served}/portal/")
    assert "/portal/login/" in page.url
    page.fill("input[name=username]", portal.me.username)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector("#equity")
    return page, complaints


def addresses(portal: Portal) -> dict[str, str]:
    with tenant_scope(portal.world.tenant):
        refused = portal.mine(Decision).filter(reason="DAILY_LIMIT").first()
        filled = portal.mine(Order).filter(state="filled").first()
    return {
        "overview": reverse("portal:overview"),
        "overview_week": reverse("portal:overview") + "?period=7d",
        "positions": reverse("portal:positions"),
        "orders": reverse("portal:orders"),
        "orders_empty": reverse("portal:orders") + "?instrument=NONE",
        "order": reverse("portal:order", args=(filled.pk,)),
        "why": reverse("portal:why"),
        "decision": reverse("portal:decision", args=(refused.pk,)),
        "account": reverse("portal:account"),
        "password": reverse("portal:password"),
        "licences": reverse("portal:licences"),
    }


@pytest.mark.long
@pytest.mark.parametrize("looks", LOOKS, ids="-".join)
def test_every_page_in_both_lights_sizes_and_languages(
    browser: Browser, served: str, portal: Portal, pictures: Path, looks: tuple[str, str, str]
) -> None:
    size, theme, language = looks
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale=language,
    )
    page, complaints = enter(context, served, portal)
    problems = []

    for name, path in addresses(portal).items():
        page.goto(f"{served}{path}")
        page.screenshot(path=pictures / f"portal-{name}-{size}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert size != "phone" or page.evaluate(UNUSED) <= 1, name
        assert page.get_attribute("html", "lang") == language[:2].replace("zh", "zh-hans")
        problems += [
            (name, v["id"], [node["html"][:160] for node in v["nodes"]][:3])
            for v in Axe().run(page).response["violations"]
            if v["impact"] in SERIOUS
        ]
    assert problems == []
    assert complaints == []
    context.close()


def test_without_scripts_everything_is_there(
    browser: Browser, served: str, portal: Portal, pictures: Path
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    page, complaints = enter(context, served, portal)

    assert page.locator("canvas").count() == 2
    assert not page.locator("#equity-chart").is_visible()
    page.click("details.data summary")
    assert page.locator("details.data tbody tr").count() == 30
    page.screenshot(path=pictures / "portal-noscript.png", full_page=True)
    page.click(".tabs >> text=Why")
    page.click(".why >> nth=0")
    assert "Your daily limit is 25,000.00 USDT" in page.inner_text("main")
    page.goto(f"{served}{reverse('portal:account')}")
    page.check("input[value=dark]")
    page.check("input[value=red-up]")
    page.click("text=Save")
    cookies = {c["name"]: c["value"] for c in context.cookies()}
    assert (cookies[cookie_name("theme")], cookies[cookie_name("market")]) == ("dark", "red-up")
    assert page.get_attribute("html", "data-bs-theme") == "dark"
    page.click("button[aria-label='Sign out']")
    assert "/portal/login/" in page.url
    assert complaints == []
    context.close()


@pytest.mark.long
def test_charts_are_drawn_and_text_at_twice_its_size_fits(
    browser: Browser, served: str, portal: Portal, pictures: Path
) -> None:
    # 200 % zoom of a 1280 px window leaves 640 CSS pixels, of a phone's 390 px 195.
    context = browser.new_context(viewport={"width": 640, "height": 450}, device_scale_factor=2)
    page, complaints = enter(context, served, portal)

    page.wait_for_selector("[data-charts].drawn")
    painted = page.evaluate(
        "(() => { const c = document.getElementById('equity-chart');"
        " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        " return d.some((v) => v !== 0); })()"
    )
    assert painted
    for name, path in addresses(portal).items():
        page.goto(f"{served}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 640, name
    page.screenshot(path=pictures / "portal-zoom.png")
    assert complaints == []
    context.close()
