"""Rows that every test of a file begins with: made once, and as new for each."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import transaction

Made = TypeVar("Made")


@contextmanager
def kept(blocker: Any, make: Callable[[], Made]) -> Iterator[Callable[[], Made]]:
    """Make the rows in a transaction that ends with the file; each test's savepoint is inside.

    What is yielded gives the same rows anew: a test may change what it is given.
    """
    with blocker.unblock(), transaction.atomic():
        made = pickle.dumps(make())
        yield lambda: pickle.loads(made)
        transaction.set_rollback(True)
