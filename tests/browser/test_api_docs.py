"""The page that shows the API: from our own files alone, under the strict policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_the_api_needs_nobody_else(browser: Browser, served: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844})
    page, complaints, asked = context.new_page(), [], []
    page.on(
        "console", lambda m: complaints.append(m.text) if m.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))

    page.goto(f"{served}/api/docs/")
    page.wait_for_selector("#operations-signals-signals_create")
    page.click("#operations-signals-signals_create button")
    page.wait_for_selector("text=Scope:")

    assert complaints == []
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert context.cookies() == []
    context.close()
