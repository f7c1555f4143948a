"""The protocol against an exchange in memory, in every order of events that hypothesis can find.

CHAOS_EXAMPLES and CHAOS_STEPS ask for more (20,000 and 60 at night). A failure prints the steps
that lead to it and a line that plays them again.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chaos.model.machine import Protocol
from tests.trading.execution.bench import forget_everything

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

EXAMPLES = int(os.environ.get("CHAOS_EXAMPLES", "12"))
STEPS = int(os.environ.get("CHAOS_STEPS", "30"))


def test_nothing_is_doubled_lost_overtaken_or_sent_after_a_halt(
    monkeypatch: pytest.MonkeyPatch, settings_of_the_model: None
) -> None:
    logging.disable(logging.CRITICAL)  # thousands of faults were asked for
    Protocol.patch = monkeypatch
    run_state_machine_as_test(
        Protocol,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize="CHAOS_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.fixture
def settings_of_the_model(settings: Any) -> Any:
    settings.MARK_STALE_AFTER_S = 10**6
    yield
    logging.disable(logging.NOTSET)
    forget_everything()
