"""The simulator's control page: it shows, it moves a price, it breaks things."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.simulator.client import Simulator, start

pytestmark = [pytest.mark.browser, pytest.mark.simulator]

SWAP = "BTC-USDT-SWAP"
STRANGE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Simulator]:
    simulator = start("--no-market", "--limits", "off")
    for number in range(30):
        simulator.account(f"desk{number:02d}", label="North desk")
    trader = simulator.account("alice", label=STRANGE)
    trader.order(sz="2")
    trader.order(ordType="limit", px="61000", sz="0.5", clOrdId="copy01")
    yield simulator
    assert simulator.stop() == 0


@pytest.fixture
def said() -> list[str]:
    """What the page's console and scripts complain of."""
    return []


def opened(browser: Browser, exchange: Simulator, said: list[str], **options: Any) -> Page:
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(exchange.control + "/")
    expect(page.locator("#live")).to_have_text("Live")
    return page


def market_row(page: Page) -> Any:
    return page.locator("#market tbody tr").filter(has=page.get_by_text(SWAP, exact=True))


def test_the_page_shows_and_changes_what_happens(
    browser: Browser, exchange: Simulator, said: list[str]
) -> None:
    page = opened(browser, exchange, said, viewport={"width": 1440, "height": 900})

    expect(page.locator("#page-text")).to_have_text("1–25 of 31")
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#page-text")).to_have_text("26–31 of 31")
    page.locator("#search").fill("ALICE")
    expect(page.locator("#page-text")).to_have_text("1–1 of 1")
    expect(page.locator("#accounts tbody")).to_contain_text(STRANGE)
    page.get_by_role("button", name="alice", exact=True).click()
    expect(page.locator("#account")).to_contain_text("copy01")
    expect(page.locator("#account")).to_contain_text(SWAP)

    page.get_by_role("button", name=f"Move {SWAP} by +5 %").click()
    expect(market_row(page)).to_contain_text("67,200")
    assert _last(exchange) == "67200"
    page.get_by_label(f"Price of {SWAP}").fill("63,000.5")
    page.get_by_label(f"Price of {SWAP}").press("Enter")
    expect(market_row(page)).to_contain_text("63,000.5")
    page.get_by_label(f"Price of {SWAP}").fill("cheap")
    page.get_by_label(f"Price of {SWAP}").press("Enter")
    expect(page.locator("#said")).to_contain_text("Not done. BTC-USDT-SWAP: a positive price")
    assert _last(exchange) == "63000.5"

    refused = [each for each in said if "400" in each]
    assert (said, len(refused)) == (refused, 1)
    page.context.close()


def test_the_page_breaks_and_mends(browser: Browser, exchange: Simulator, said: list[str]) -> None:
    page = opened(browser, exchange, said)
    expect(page.locator("#faults")).to_have_text("Nothing is broken.")

    page.get_by_text("Add a fault").click()
    form = page.locator("#fault")
    form.locator("[name=kind]").select_option("http")
    expect(page.locator("#does")).to_have_text("HTML with this status.")
    form.locator("[name=argument]").fill("524")
    form.locator("[name=after]").select_option("yes")
    form.locator("[name=account]").fill(STRANGE)
    form.locator("[name=prob]").fill("25")
    form.locator("[name=for_s]").fill("60")
    form.get_by_role("button", name="Add fault").click()

    expect(page.locator("#faults")).to_contain_text(f"account {STRANGE} · 25 % · for 60 s · 0 hits")
    (fault,) = exchange.ask("GET", "/faults").body["faults"]
    assert (fault["kind"], fault["argument"], fault["after"]) == ("http", "524", True)
    assert (fault["prob"], fault["for_s"], fault["match"]) == (0.25, 60, {"account": STRANGE})
    page.get_by_role("button", name="Remove http").click()
    expect(page.locator("#faults")).to_have_text("Nothing is broken.")

    page.get_by_role("button", name="50011 storm, 10 s").click()
    expect(page.locator("#faults")).to_contain_text("for 10 s")
    page.locator("#settings [name=read_lag_ms]").fill("300")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#said")).to_have_text("The settings are in force.")
    assert exchange.ask("GET", "/limits").body["read_lag_ms"] == 300
    page.get_by_role("button", name="Remove code").click()
    expect(page.locator("#faults")).to_have_text("Nothing is broken.")
    assert said == []
    page.context.close()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("dark", 390),
        pytest.param("light", 390, marks=pytest.mark.long),
        pytest.param("dark", 1440, marks=pytest.mark.long),
        pytest.param("light", 1440, marks=pytest.mark.long),
    ],
)
def test_the_page_fits_and_follows_the_readers_light(
    browser: Browser,
    exchange: Simulator,
    said: list[str],
    pictures: Path,
    scheme: str,
    width: int,
) -> None:
    view = {"width": width, "height": 900}
    page = opened(browser, exchange, said, viewport=view, color_scheme=scheme)

    page.locator("#search").fill("alice")
    page.get_by_role("button", name="alice", exact=True).click()
    page.get_by_text("Add a fault").click()
    expect(page.locator("#account")).to_contain_text("copy01")

    assert page.evaluate("document.documentElement.scrollWidth") == width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(247, 248, 250)", "dark": "rgb(15, 19, 27)"}[scheme]
    assert said == []
    page.screenshot(path=pictures / f"simulator-{width}-{scheme}.png", full_page=True)
    page.context.close()


@pytest.mark.long
def test_a_page_with_a_token_opens_only_by_it(browser: Browser, said: list[str]) -> None:
    token = "a-token-long-enough"
    guarded = start("--no-market", "--control-token", token)
    page = browser.new_page()
    page.set_default_timeout(10_000)
    page.goto(guarded.control + "/")

    expect(page.locator("#live")).to_have_text("Locked")
    expect(page.locator("#main")).to_be_hidden()
    page.get_by_label("Token").fill("something-else-entirely")
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#said")).to_have_text("This is not the control token.")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Open").click()

    expect(page.locator("#live")).to_have_text("Live")
    expect(market_row(page)).to_contain_text("64,000")
    page.close()
    assert guarded.stop() == 0


def _last(exchange: Simulator) -> str:
    rows = exchange.ask("GET", "/market").body["market"]
    return str(next(each["last"] for each in rows if each["inst_id"] == SWAP))
