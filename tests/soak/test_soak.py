"""The short form of `make soak`: long enough to trip, too short to tell whether memory grows."""

from __future__ import annotations

from argparse import Namespace
from decimal import localcontext
from pathlib import Path

import pytest

from tests.soak.__main__ import MEMORY_GROWS, soak
from trading.simulator.decimals import EXACT

pytestmark = [pytest.mark.long, pytest.mark.simulator]


async def test_random_traders_find_nothing_wrong(tmp_path: Path) -> None:
    with localcontext(EXACT):
        report = await soak(Namespace(seconds=20, speed=600, traders=20, seed=7), tmp_path)

    assert [each for each in report["wrong"] if each != MEMORY_GROWS] == []
    assert report["ledger"]["entries"]["fill"] > 100
