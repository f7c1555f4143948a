"""What the engine room announces, on commit, with primary keys only."""

from __future__ import annotations

from django.dispatch import Signal as Event

orders_ready = Event()  # order_ids: orders wait to be sent
orders_finished = Event()  # order_ids: orders reached a final state, their lanes may go on
account_verified = Event()  # account_id: the key check ended, either way
account_changed = Event()  # account_id: positions or balances were written
