"""An executor's collector leaves alone what was loaded, and still frees what goes in circles."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from trading.execution.memory import settle_memory


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Ring:
    """Something that holds itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_was_loaded_is_left_alone_and_new_circles_are_freed(collector: None) -> None:
    settle_memory()
    ring = Ring()
    alive = weakref.ref(ring)

    del ring
    gc.collect()

    assert gc.get_freeze_count() > 1000
    assert alive() is None


def test_settling_again_does_no_harm(collector: None) -> None:
    settle_memory()
    settle_memory()

    assert gc.isenabled()
