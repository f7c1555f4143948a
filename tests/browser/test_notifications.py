"""What a person does to be told of things: name a robot, try it, read what was sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.test_admin import enter
from tests.factories import PASSWORD
from tests.notifications import capture
from tests.world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.django_db(transaction=True)]
ADDRESS = "https://oapi.dingtalk.com/robot/send?access_token=robot-4711"


def test_a_robot_is_named_tried_and_found_in_the_outbox(
    browser: Browser, served: str, pictures: Path, settings: Any
) -> None:
    world = make_world("North desk", 1, customers=4)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page, complaints = enter(context, served, world.owner.username)
    with capture.robot() as robot:
        settings.OUTGOING_CAPTURE = {capture.DINGTALK: robot.url}

        name_a_robot(page, served, pictures)
        page.click("text=Send a test message")
        page.click("button:has-text('Send a test message')")

        result = page.wait_for_selector("#test-result")
        assert result is not None
        assert "The other side took the message." in result.inner_text()
        page.screenshot(path=pictures / "destination-test.png", full_page=True)
        assert "Trading floor" in robot.texts()[0]
    page.goto(f"{served}/admin/notifications/notification/")
    assert "Trading floor" in page.inner_text("#result_list")
    page.screenshot(path=pictures / "outbox.png", full_page=True)
    page.locator("#result_list tbody th a").nth(3).click()
    page.wait_for_selector("text=Delivery log")
    page.screenshot(path=pictures / "notification.png", full_page=True)
    assert ours(complaints) == []
    context.close()


def name_a_robot(page: Page, served: str, pictures: Path) -> None:
    page.goto(f"{served}/admin/me/step-up/?next=/admin/notifications/destination/add/")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")
    page.wait_for_selector("select[name=kind]")
    page.fill("input[name=name]", "Trading floor")
    page.select_option("select[name=kind]", "email")
    page.wait_for_selector("textarea[name=recipients]", state="visible")
    page.wait_for_selector("input[name=new_robot_token]", state="hidden")
    page.select_option("select[name=kind]", "dingtalk")
    page.wait_for_selector("textarea[name=recipients]", state="hidden")
    page.fill("input[name=new_robot_token]", ADDRESS)
    page.fill("input[name=new_signing_secret]", "SEC-of-the-floor")
    page.screenshot(path=pictures / "destination-add.png", full_page=True)
    page.click("[name=_continue]")
    page.wait_for_selector("text=Send a test message")
    page.screenshot(path=pictures / "destination.png", full_page=True)


def ours(complaints: list[str]) -> list[str]:
    """This server has no sockets; that the pages miss them is another test's matter."""
    return [line for line in complaints if "WebSocket" not in line]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_destinations_fit_a_phone(
    browser: Browser, served: str, pictures: Path, theme: Any
) -> None:
    world = make_world("North desk", 1, customers=4)
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=theme)
    page, complaints = enter(context, served, world.owner.username)

    for name, address in (
        ("destinations", "/admin/notifications/destination/"),
        ("outbox", "/admin/notifications/notification/"),
        ("destination", ""),
    ):
        if not address:
            page.goto(f"{served}/admin/notifications/destination/")
            page.click("#result_list tbody tr:first-child th a")
        else:
            page.goto(f"{served}{address}")
        page.screenshot(path=pictures / f"phone-{name}-{theme}.png", full_page=True)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, name

    assert ours(complaints) == []
    context.close()
