"""Two people look at their pages while a signal is copied: a customer, and somebody of the desk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from config.demo.http import call
from config.demo.run import signed

PHONE: Any = {"width": 390, "height": 844}
LIVE = "[data-live-status][data-state=live]"
SOON_MS = 20_000
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Look:
    """How somebody has set their pages."""

    language: str
    theme: str

    @property
    def name(self) -> str:
        return f"{self.language}-{self.theme}"


@dataclass
class Screen:
    """A page that is never loaded again; `complaints` is what its console says."""

    page: Page
    look: Look
    complaints: list[str] = field(default_factory=list)

    def hold(self) -> None:
        """From here on the same document must stay."""
        self.page.wait_for_selector(LIVE)
        self.page.evaluate("window.sameDocument = true")

    def was_not_reloaded(self) -> bool:
        return bool(self.page.evaluate("window.sameDocument === true"))

    def picture(self, folder: Path, name: str, *, whole: bool = True) -> None:
        """In the theme asked for, then in the other: the page follows without being loaded."""
        for theme in (self.look.theme, "light" if self.look.theme == "dark" else "dark"):
            shade: Any = theme
            self.page.emulate_media(color_scheme=shade)
            look = Look(self.look.language, theme)
            self.page.screenshot(path=folder / f"{name}-{look.name}.png", full_page=whole)
            assert self.fits(), look.name
        own: Any = self.look.theme
        self.page.emulate_media(color_scheme=own)

    def fits(self) -> bool:
        """No sideways scroll, in the language and theme that were asked for."""
        width = self.page.evaluate("document.documentElement.scrollWidth")
        language = self.page.get_attribute("html", "lang") or ""
        return width <= PHONE["width"] and language.lower() == self.look.language

    def speaks(self) -> bool:
        """Chinese words where Chinese was asked for, and only there."""
        text = self.page.inner_text("main, #content-main, #content")
        return bool(CHINESE.search(text)) == (self.look.language == "zh-hans")


@contextmanager
def screen(browser: Browser, look: Look) -> Iterator[Screen]:
    dark: Any = "dark" if look.theme == "dark" else "light"
    context = browser.new_context(viewport=PHONE, color_scheme=dark)
    shown = Screen(context.new_page(), look)
    shown.page.on(
        "console",
        lambda m: shown.complaints.append(m.text) if m.type in {"error", "warning"} else None,
    )
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    yield shown
    context.close()


def sign_in(shown: Screen, address: str, login: tuple[str, str]) -> None:
    """By the form, in the language asked for."""
    page = shown.page
    page.goto(address)
    page.fill("input[name=username]", login[0])
    page.fill("input[name=password]", login[1])
    page.click("form:has(input[name=password]) button[type=submit]")
    # The admin's menu names the language in a hidden field, the portal's footer on the button.
    choice = page.locator(f"[name=language][value={shown.look.language}]").first
    choice.wait_for(state="attached")
    choice.evaluate("e => (e.form.requestSubmit(e.type === 'submit' ? e : undefined))")
    page.wait_for_selector(f"html[lang={shown.look.language} i]", state="attached")


def send(shown: Mapping[str, Any], **terms: Any) -> None:
    """A webhook as any sender would send it."""
    now = datetime.now(UTC)
    said = {"id": f"screens-{now.timestamp()}", "time": now.isoformat(), **terms}
    body = json.dumps(said).encode()
    answer = call("POST", shown["urls"]["webhook"], body, signed(shown["webhook_secret"], body))
    assert answer.ok, answer


def watch(
    browser: Browser, shown: Mapping[str, Any], look: Look, copied: str, skipped: str, to: Path
) -> None:
    """A position and an order appear, and a second signal is explained, on pages left open."""
    with screen(browser, look) as customer, screen(browser, look) as staff:
        sign_in(customer, shown["urls"]["portal"], shown["logins"]["customer"])
        sign_in(staff, shown["urls"]["admin"], shown["logins"]["owner"])
        customer.page.goto(shown["urls"]["portal"])
        staff.page.goto(f"{shown['urls']['admin']}trading/order/")
        for each in (customer, staff):
            each.hold()
        positions = customer.page.locator("#positions")
        orders = staff.page.locator("#result_list tbody tr", has_text=copied)
        expect(positions).not_to_contain_text(copied)
        expect(orders).to_have_count(0)

        send(
            shown, instrument=copied, intent="open", direction="long", leverage="2",
            quantity={"mode": "notional", "value": "20000"},
        )  # fmt: skip
        expect(positions).to_contain_text(copied, timeout=SOON_MS)
        expect(orders.first).to_be_visible(timeout=SOON_MS)
        send(shown, instrument=skipped, intent="close", direction="short")
        reasons = customer.page.locator("#decisions li", has_text=skipped)
        expect(reasons.first).to_be_visible(timeout=SOON_MS)

        assert customer.was_not_reloaded()
        assert staff.was_not_reloaded()
        customer.picture(to, "customer-overview")
        staff.picture(to, "staff-orders", whole=False)
        reasons.first.locator("a").click()
        customer.page.wait_for_selector("#story")
        _reads_why(customer)
        customer.picture(to, "customer-why")
        for each in (customer, staff):
            assert each.speaks()
            assert each.complaints == []


def _reads_why(customer: Screen) -> None:
    """Plain words, not a code."""
    words = {
        "en": "The leader changed a position that you did not copy.",
        "zh-hans": "信号源变动的仓位您没有跟",
    }
    expect(customer.page.locator("main")).to_contain_text(words[customer.look.language])
