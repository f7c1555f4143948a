"""What the webhook benchmark is made of."""

from __future__ import annotations
