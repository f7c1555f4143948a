"""What the control page is served as, and the figures it asks for."""

from __future__ import annotations

import re

import pytest

from tests.simulator.client import ROOT, SWAP, Simulator, send

pytestmark = pytest.mark.simulator

PAGE = ROOT / "trading/simulator/page"


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")],
)
def test_the_page_keeps_to_itself(still: Simulator, path: str, kind: str) -> None:
    answer = send(still.control, "GET", path, None, {"Sec-Fetch-Site": "cross-site"})

    assert (answer.status, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert send(still.control, "POST", path, b"{}", {}).status in (404, 405)


def test_the_page_holds_no_script_style_or_foreign_address_of_its_own() -> None:
    text = (PAGE / "page.html").read_text()

    assert re.findall(r"<script(?! src=\"page\.js\" defer>)", text) == []
    assert re.findall(r"<style| style=| on[a-z]+=", text) == []
    for name in ("page.html", "page.css", "page.js"):
        found = re.findall(r"https?://[^\s'\"]+", (PAGE / name).read_text())
        assert {each for each in found if "www.w3.org" not in each} == set()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write", (PAGE / "page.js").read_text()
    )


def test_the_market_is_told_with_its_past(still: Simulator) -> None:
    answer = still.ask("GET", "/market?points=3").body

    row = next(each for each in answer["market"] if each["inst_id"] == SWAP)
    assert (row["last"], row["mark"], row["pinned"], row["state"]) == (
        "64000",
        "64000",
        False,
        "live",
    )
    assert (row["bid"], row["ask"]) == ("63999.9", "64000.1")
    assert len(row["points"]) == 3
    assert row["funding_at"] > answer["ts"]
    assert len(answer["market"]) == 17
    assert still.ask("GET", "/market?points=241").body["field"] == "points"
    assert "points" not in still.ask("GET", "/market").body["market"][0]
