"""The cyclic garbage collector of an executor: what has been loaded is not looked at again."""

from __future__ import annotations

import gc
from typing import Final

# Orders are made and let go by the thousand without a cycle among them. By default every 700 new
# objects are a reason to look, now and then at everything there is: a fifth of a fan-out's time.
YOUNG: Final = 50_000
MIDDLE: Final = 20
OLD: Final = 50


def settle_memory() -> None:
    """Take what lives now out of the collector's sight, and let it look less often. Repeatable."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
