"""Recorded prices come in their order and at their pace; files that cannot be played are named."""

from __future__ import annotations

import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from tests.simulator.client import ROOT, Client, start
from tests.simulator.core import SPOT, SWAP, Core
from trading.simulator.recording import (
    BadRecordingError,
    Player,
    RecordedPrice,
    check_recording,
    read_recording,
)

DAY = f"""time,inst_id,price
2026-03-01T00:00:00Z,{SWAP},64000
2026-03-01T00:00:10Z,{SWAP},61234.56
2026-03-01T00:00:10Z,{SPOT},61200
2026-03-01T00:00:11Z,{SWAP},65000
"""


@pytest.fixture
def day(tmp_path: Path) -> Path:
    return written(tmp_path, DAY)


def written(folder: Path, text: str) -> Path:
    path = folder / "day.csv"
    path.write_text(text)
    return path


def test_a_file_is_read_in_milliseconds_from_its_first_line_and_on_the_tick(day: Path) -> None:
    assert list(read_recording(check_recording(day))) == [
        RecordedPrice(0, SWAP, Decimal(64000)),
        RecordedPrice(10_000, SWAP, Decimal("61234.5")),
        RecordedPrice(10_000, SPOT, Decimal(61200)),
        RecordedPrice(11_000, SWAP, Decimal(65000)),
    ]


def test_downloads_of_exchanges_are_understood(tmp_path: Path) -> None:
    head = "instrument_name,trade_id,side,price,size,created_time\n"
    path = written(tmp_path, f"{head}{SWAP},1,buy,64000.1,2,1772323200000\n")

    assert list(read_recording(path)) == [RecordedPrice(0, SWAP, Decimal("64000.1"))]


def test_prices_come_in_their_time_and_an_order_fills_that_only_one_reached(day: Path) -> None:
    core = Core()
    account = core.open("a")
    resting = core.order(account, px="61500")
    player = Player(core.exchange, day)
    quote = core.market.quote(SWAP)

    assert (player.play(), quote.last, quote.pinned) == ([SWAP], 64000, True)
    core.wait(9_999)
    assert (player.play(), resting.state) == ([], "live")
    core.wait(5_000)
    assert player.play() == [SWAP, SPOT]

    assert (resting.state, resting.fill_px) == ("filled", Decimal(61500))
    assert (quote.last, core.market.quote(SPOT).last) == (65000, 61200)
    assert not quote.pinned
    core.wait(5_000)
    assert player.play() == []
    told = [(e["inst_id"], e["px"]) for e in core.exchange.ledger.read() if e["kind"] == "price"]
    assert told[:4] == [(SWAP, "64000"), (SWAP, "61234.5"), (SPOT, "61200"), (SWAP, "65000")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: a column time is expected"),
        ("time,inst_id\n", "line 1: a column price is expected"),
        ("time,inst_id,price\n", "line 2: a price is expected"),
        (f"time,inst_id,price\n1,{SWAP}\n", "line 2: there are fewer columns"),
        ("time,inst_id,price\n1,NO-SUCH,5\n", "line 2: unknown instrument NO-SUCH"),
        (f"time,inst_id,price\n1,{SWAP},0.01\n", "line 2: 0.01 is no price"),
        (f"time,inst_id,price\n1,{SWAP},cheap\n", "line 2: cheap is no price"),
        (f"time,inst_id,price\nnoon,{SWAP},5\n", "line 2: noon is no time"),
        (f"time,inst_id,price\n2,{SWAP},5\n1,{SWAP},5\n", "line 3: the time is before"),
    ],
)
def test_what_cannot_be_played_is_named_with_its_line(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(BadRecordingError, match=problem):
        check_recording(written(tmp_path, text))


def last_of(client: Client) -> str:
    return str(client.get("market/ticker", {"instId": SWAP}).row["last"])


@pytest.mark.simulator
@pytest.mark.long
def test_the_program_plays_a_file_and_refuses_a_wrong_one(day: Path) -> None:
    simulator = start("--no-market", "--limits", "off", "--speed", "1000", "--replay", str(day))
    try:
        client = simulator.account("replayed")
        until = time.monotonic() + 10
        while time.monotonic() < until and last_of(client) != "65000":
            time.sleep(0.05)
        assert last_of(client) == "65000"
    finally:
        assert simulator.stop() == 0
    day.write_text("time,inst_id,price\n1,NO,1\n")
    command = [sys.executable, "-m", "trading.simulator", "--replay", str(day)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "line 2: unknown instrument NO" in refused.stderr
