"""What the signals room announces, on commit, with primary keys only."""

from __future__ import annotations

from django.dispatch import Signal as Event

# signal_id: a new instruction waits to be copied; `followed`: another of its source does as well,
# and is announced next
signal_accepted = Event()
signal_held = Event()  # signal_id: an instruction waits until a person approves it
signal_refused = Event()  # signal_id: an instruction was stored that will not be followed
leader_account_changed = Event()  # leader_id: a leader's key was saved and wants verifying
leader_stops_changed = Event()  # leader_id: it moved a take profit or stop loss, see its holdings
