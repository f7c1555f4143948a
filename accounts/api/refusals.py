"""Refusals that the framework does not know by name."""

from __future__ import annotations

from rest_framework import exceptions

from accounts.api.envelope import FieldError


class TooLarge(exceptions.APIException):
    status_code = 413
    default_code = "too_large"


class MissingScope(exceptions.PermissionDenied):
    default_code = "missing_scope"


class Conflict(exceptions.APIException):
    """What is asked contradicts what is there; `fields` says where."""

    status_code = 409
    default_code = "conflict"


class Refused(exceptions.APIException):
    """400 for one field, with more for the machine beside it (`signal_id`)."""

    status_code = 400
    default_code = "invalid"

    def __init__(self, field: str, reason: str, **more: str) -> None:
        super().__init__(reason)
        self.errors, self.more = [FieldError(field, reason)], more
