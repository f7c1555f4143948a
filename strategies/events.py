"""What the strategies room announces, on commit, with primary keys only."""

from __future__ import annotations

from django.dispatch import Signal as Event

subscription_ending = Event()  # subscription_id: what it holds is to be ended as it was said
