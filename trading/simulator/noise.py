"""Reproducible draws by name and number: whole-number arithmetic, the same on every machine."""

from __future__ import annotations

import hashlib
from typing import Final

_MASK: Final = (1 << 64) - 1


def key_of(*parts: object) -> int:
    """The 64-bit key of a family of draws, such as one instrument's book."""
    text = "|".join(str(each) for each in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def draw(key: int, number: int) -> int:
    """64 well-mixed bits for this number: neighbours have nothing in common."""
    mixed = (key + (number + 1) * 0x9E3779B97F4A7C15) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    return mixed ^ (mixed >> 31)
