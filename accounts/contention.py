"""Transactions that the database rolls back to end a deadlock, run again; and who comes first."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, transaction

P = ParamSpec("P")
R = TypeVar("R")
_DEADLOCKS = (1205, 1213)  # lock wait timeout, deadlock: the transaction was rolled back whole
_TRIES = 6

_urgent: ContextVar[bool] = ContextVar("urgent", default=False)


@contextmanager
def urgent() -> Iterator[None]:
    """What is written in here should not wait behind what may: an order that has to leave.

    It is only a wish, for a database with one writer. A function may be decorated with it as well.
    """
    before = _urgent.set(True)
    try:
        yield
    finally:
        _urgent.reset(before)


def is_urgent() -> bool:
    return _urgent.get()


def retried(function: Callable[P, R]) -> Callable[P, R]:
    """Run a transaction again that the database rolled back to end a deadlock.

    The function must be one whole transaction, with nothing outside the database in it.
    """

    @wraps(function)
    def again(*args: P.args, **kwargs: P.kwargs) -> R:
        for left in reversed(range(_TRIES)):
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if (
                    not left
                    or not _is_contention(error)
                    or transaction.get_connection().in_atomic_block
                ):
                    raise
            threading.Event().wait(random.uniform(0.01, 0.1))  # noqa: S311 - spread, not secrecy
        raise AssertionError("unreachable")

    return again


def _is_contention(error: OperationalError) -> bool:
    code = error.args[0] if error.args else None
    return code in _DEADLOCKS or "locked" in str(error)
