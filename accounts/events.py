"""What this room announces after a commit; each carries primary keys only."""

from __future__ import annotations

from django.dispatch import Signal as Event

tenant_created = Event()
"""A desk exists. Sent with `tenant_id`."""

audit_recorded = Event()
"""Diary entries were committed: a nudge for whoever delivers them. Sent with `entry_ids`."""
