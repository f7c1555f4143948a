"""The wish that a waiting order end, whoever has it: execution makes it true."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from trading.enums import Reason
from trading.events import actions_asked
from trading.models import Action


def wish_canceled(orders: Any, why: Reason) -> int:
    """Note on these orders that they are to be canceled, and why; how many had no such wish.

    The wish is the one thing of an order that is written without a new version of it. Runs
    inside a transaction; execution is nudged when it commits.
    """
    wished: int = orders.filter(cancel_requested=False).update(cancel_requested=True, reason=why)
    if wished:
        transaction.on_commit(partial(actions_asked.send_robust, Action, action_ids=[]))
    return wished
