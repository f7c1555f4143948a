"""The tests are tested: without any one guard of the protocol at least one of them must fail."""

from __future__ import annotations

import pytest

from tests.chaos.guards import GUARDS, Guard
from tests.chaos.mutations import try_without


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_it_is_said_to_stand(guard: Guard) -> None:
    changed = guard.mutated()

    assert changed != guard.source()
    compile(changed, guard.module, "exec")


# Every one is tried by `make mutations`, which takes a quarter of an hour.
SAMPLE = [guard for guard in GUARDS if not guard.services][::4]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("guard", SAMPLE, ids=lambda guard: guard.name)
def test_a_guard_is_missed(guard: Guard) -> None:
    outcome = try_without(guard)

    assert outcome.killed_by, outcome.words
