"""Codes of states that only a fault brings about, with the documented status of each."""

from __future__ import annotations

from typing import Final

from tests.simulator.codes.asking import Case, faulty, faulty_row
from trading.simulator.codes_states import TABLE


def _case(code: str, status: int) -> Case:
    """Verdicts about an order stand in its row; everything else is the envelope's."""
    return faulty_row(code) if code.startswith("51") and status == 200 else faulty(code)


CASES: Final[dict[str, Case]] = {code: _case(code, status) for code, (status, _) in TABLE.items()}
