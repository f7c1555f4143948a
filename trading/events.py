"""What the engine room announces, on commit, with primary keys only."""

from __future__ import annotations

from django.dispatch import Signal as Event

signal_decided = Event()  # signal_id: some or all of its followers were decided
orders_ready = Event()  # order_ids: orders wait to be sent
orders_changed = Event()  # order_ids: orders took a step, or more is known of them
orders_finished = Event()  # order_ids: orders reached a final state, their lanes may go on
flatten_begun = Event()  # run_id: everything in a scope is to be closed
account_verified = Event()  # account_id: the key check ended, either way
account_touched = Event()  # account_id: the platform changed it at the exchange: read it again
account_changed = Event()  # account_id: positions or balances were written
actions_asked = Event()  # action_ids: cancels, changes or protections wait to be sent
settlements_asked = Event()  # a person wants a stuck order settled
repairs_asked = Event()  # differences may be put right by orders of ours
orders_entered = Event()  # order_ids: staff wrote orders that nobody sends yet
