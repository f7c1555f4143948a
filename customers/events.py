"""What the customers room announces, on commit, with primary keys only."""

from __future__ import annotations

from django.dispatch import Signal as Event

exchange_account_changed = Event()  # account_id: keys were saved and want verifying
