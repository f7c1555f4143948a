"""The tables of room 1."""

from __future__ import annotations

from accounts.models.approvals import Approval
from accounts.models.diary import AuditEntry, AuditPending
from accounts.models.factors import Authenticator, RecoveryCode
from accounts.models.people import Installation, Membership, Tenant, User
from accounts.models.tokens import ApiToken

__all__ = [
    "ApiToken",
    "Approval",
    "AuditEntry",
    "AuditPending",
    "Authenticator",
    "Installation",
    "Membership",
    "RecoveryCode",
    "Tenant",
    "User",
]
