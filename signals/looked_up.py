"""What several calls that are judged together ask for, read once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_known: ContextVar[dict[Hashable, Any] | None] = ContextVar("signals_looked_up", default=None)


@contextmanager
def looking_up_once() -> Iterator[None]:
    """From here on the same question gets the same answer. For a moment only."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def once(question: Hashable, read: Callable[[], T]) -> T:
    known = _known.get()
    if known is None:
        return read()
    if question not in known:
        known[question] = read()
    answer: T = known[question]
    return answer
