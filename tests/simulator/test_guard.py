"""Who may use the control API: not a page of another site, and nobody without the token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulator.client import Simulator, send, start
from trading.simulator.__main__ import main
from trading.simulator.guard import RefusedError, check, is_loopback

pytestmark = pytest.mark.simulator

TOKEN = "a-token-long-enough"
HOST = "127.0.0.1:9000"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Simulator]:
    simulator = start("--no-market", "--control-token", TOKEN)
    yield simulator
    assert simulator.stop() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": HOST},
        {"Host": "localhost:9000"},
        {"Host": "[::1]:9000"},
        {"Host": HOST, "Sec-Fetch-Site": "none"},
        {"Host": HOST, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{HOST}"},
    ],
)
def test_programs_and_its_own_page_may_call(headers: dict[str, str]) -> None:
    check(headers, "/prices", "")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": HOST, "Sec-Fetch-Site": "cross-site"},
        {"Host": HOST, "Sec-Fetch-Site": "same-site"},
        {"Host": HOST, "Origin": "https://evil.example"},
        {"Host": HOST, "Origin": "http://127.0.0.1:9001"},
        {"Host": HOST, "Origin": "null"},
        {"Host": "rebound.example:9000"},
        {"Host": "rebound.example:9000", "Origin": "http://rebound.example:9000"},
        {},
    ],
)
def test_other_sites_and_foreign_names_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(RefusedError) as refused:
        check(headers, "/prices", "")

    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (None, 401),
        ("Bearer", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer é", 401),
        (f"Bearer {TOKEN}", 200),
    ],
)
def test_the_token_is_needed_when_there_is_one(
    guarded: Simulator, given: str | None, status: int
) -> None:
    headers = {} if given is None else {"Authorization": given.encode().decode("latin-1")}
    path = "/api/v5/market/ticker?instId=BTC-USDT-SWAP"
    before = send(guarded.rest, "GET", path, None, {}).row["last"]
    price = "64000" if status == 200 else "50000"

    answer = send(
        guarded.control, "POST", "/prices", f'{{"BTC-USDT-SWAP": "{price}"}}'.encode(), headers
    )

    assert answer.status == status
    after = send(guarded.rest, "GET", path, None, {}).row["last"]
    assert after == (price if status == 200 else before)
    assert send(guarded.control, "GET", "/health", None, {}).body["status"] == "ok"


def test_another_site_moves_no_price(own: Simulator) -> None:
    headers = {"Origin": "https://evil.example"}

    answer = send(own.control, "POST", "/prices", b'{"BTC-USDT-SWAP": "1"}', headers)

    assert (answer.status, answer.body["field"]) == (403, "")
    path = "/api/v5/market/ticker?instId=BTC-USDT-SWAP"
    assert send(own.rest, "GET", path, None, {}).row["last"] == "64000"


@pytest.mark.parametrize(
    "flags",
    [("--control-host", "0.0.0.0"), ("--control-host", "::"), ("--control-token", "short")],
)
def test_an_open_control_port_needs_a_proper_token(
    flags: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)

    assert ended.value.code == 2
    assert "--control-token" in capsys.readouterr().err


def test_loopback_is_recognized() -> None:
    hosts = ("127.0.0.1", "127.8.8.8", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "desk")

    assert [is_loopback(each) for each in hosts] == [True] * 4 + [False] * 4
