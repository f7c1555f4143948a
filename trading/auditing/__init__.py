"""Our books against the exchange's: did every promise of the order protocol hold?"""

from __future__ import annotations

from trading.auditing.keeping import audit_all, keep, plain
from trading.auditing.run import Report, audit_desks

__all__ = ["Report", "audit_all", "audit_desks", "keep", "plain"]
