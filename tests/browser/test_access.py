"""The second factor as people meet it: on a phone, in the dark, with a QR code and a lost app."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from accounts.enums import Role
from tests import factories as make
from tests.access.authenticator import code
from tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.django_db(transaction=True)]

PHONE = {"width": 390, "height": 844}


def told(message: ConsoleMessage) -> bool:
    """What the console complains about; the test server has no sockets."""
    return message.type in {"error", "warning"} and "/ws/live/" not in message.text


def open_door(browser: Browser, served: str, complaints: list[str], *, dark: bool = False) -> Page:
    context = browser.new_context(viewport=PHONE, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if told(m) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{served}/admin/")
    page.fill("input[name=username]", "ann")
    page.fill("input[name=password]", PASSWORD)
    page.click("#login-form button[type=submit]")
    return page


def next_code(secret: str) -> str:
    """A code of the next half minute: the present one may have been used already."""
    return code(secret, time.time() + 30)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def picture_shows(page: Page) -> bool:
    """Whether the QR code was drawn: the policy lets data: pictures through."""
    return bool(page.eval_on_selector(".qr", "image => image.complete && image.naturalWidth > 0"))


def enroll(page: Page, served: str, pictures: Path) -> tuple[str, list[str]]:
    """Set the app up by what the page shows; the key and the recovery codes."""
    page.goto(f"{served}/admin/me/two-factor/")
    page.click("text=Show the QR code")
    assert picture_shows(page)
    assert fits(page)
    page.screenshot(path=pictures / "enroll-phone-light.png", full_page=True)
    address = urlsplit(page.get_attribute("a[href^='otpauth:']", "href") or "")
    secret = page.inner_text("#secret").replace(" ", "")
    assert parse_qs(address.query)["secret"] == [secret]
    page.fill("input[name=code]", code(secret))
    page.click("text=Turn it on")
    codes = page.locator("#codes li").all_inner_texts()
    assert fits(page)
    page.screenshot(path=pictures / "codes-phone-light.png", full_page=True)
    page.click("text=I have kept them")
    expect(page.locator("body")).to_contain_text("Recovery codes left")
    page.screenshot(path=pictures / "authenticator-phone-light.png", full_page=True)
    return secret, codes


def give(page: Page, text: str) -> None:
    page.fill("input[name=code]", text)
    page.click("text=Continue")


def test_enroll_with_a_qr_code_then_lose_the_phone(
    browser: Browser, served: str, pictures: Path
) -> None:
    make.make_user(Role.OWNER, username="ann")
    complaints: list[str] = []
    page = open_door(browser, served, complaints)
    secret, codes = enroll(page, served, pictures)
    assert (len(base64.b32decode(secret)), len(set(codes))) == (20, 10)
    page.context.close()

    page = open_door(browser, served, complaints, dark=True)
    assert page.url.endswith("/admin/me/code/")
    assert fits(page)
    page.screenshot(path=pictures / "code-phone-dark.png", full_page=True)
    give(page, next_code(secret))
    page.wait_for_selector("#attention")
    page.context.close()

    page = open_door(browser, served, complaints, dark=True)
    give(page, codes[4])
    page.wait_for_selector("#attention")
    page.context.close()

    page = open_door(browser, served, complaints, dark=True)
    give(page, codes[4])
    expect(page.locator("[role=alert]")).to_contain_text("not valid, or was used already")
    page.context.close()
    assert complaints == []


def test_required_means_before_anything_else(
    browser: Browser, served: str, pictures: Path, settings: object
) -> None:
    settings.STAFF_TWO_FACTOR = "required"  # type: ignore[attr-defined]
    make.make_user(Role.TRADER, username="ann")
    complaints: list[str] = []

    page = open_door(browser, served, complaints, dark=True)

    assert page.url.endswith("/admin/me/two-factor/")
    page.click("text=Show the QR code")
    assert picture_shows(page)
    assert fits(page)
    page.screenshot(path=pictures / "required-phone-dark.png", full_page=True)
    page.fill("input[name=code]", code(page.inner_text("#secret")))
    page.click("text=Turn it on")
    page.screenshot(path=pictures / "codes-phone-dark.png", full_page=True)
    page.click("text=I have kept them")
    page.wait_for_selector("#attention")
    page.context.close()
    assert complaints == []


def test_after_five_wrong_passwords_a_page_says_when(
    browser: Browser, served: str, pictures: Path
) -> None:
    make.make_user(Role.TRADER, username="ann")
    page = browser.new_context(viewport=PHONE, color_scheme="dark").new_page()
    page.goto(f"{served}/admin/login/")
    for _attempt in range(5):
        page.fill("input[name=username]", "ann")
        page.fill("input[name=password]", "wrong")
        page.click("#login-form button[type=submit]")

    expect(page.locator("h1")).to_have_text("Too many wrong attempts")
    assert fits(page)
    page.screenshot(path=pictures / "locked-phone-dark.png", full_page=True)
    page.goto(f"{served}/nothing/here/")
    expect(page.locator("h1")).to_have_text("There is nothing here")
    page.screenshot(path=pictures / "not-found-phone-dark.png", full_page=True)
    page.context.close()


def test_the_language_changes_without_a_script(browser: Browser, served: str) -> None:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}/portal/login/")

    page.click("button[lang=zh-hans]")

    assert page.url == f"{served}/portal/login/"
    assert page.get_attribute("html", "lang") == "zh-hans"
    context.close()
