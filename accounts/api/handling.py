"""Every refusal in the envelope: what services, serializers and the framework raise."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts.api.envelope import FieldError, failure
from accounts.api.refusals import MissingScope, Refused

logger = logging.getLogger(__name__)

BODY: Final = "body"  # what a fault is named by that is no single field's
RETRY_SECONDS: Final = 1


def refuse(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: every refusal in the envelope; None for what is our own fault."""
    known = _known(error)
    if known is None:
        return None
    set_rollback()
    body = _body(known)
    response = Response(body, status=known.status_code, headers=_headers(known))
    response.enveloped = True  # type: ignore[attr-defined]
    return response


def _known(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case DjangoValidationError():
            return exceptions.ValidationError(_of_django(error))
        case OperationalError():
            logger.error("The API could not reach the database", exc_info=error)
            unavailable = exceptions.APIException(_("Nothing was changed. Send it again."))
            unavailable.status_code = 503
            return unavailable
    return None


def _body(error: exceptions.APIException) -> dict[str, Any]:
    status = error.status_code
    if isinstance(error, Refused):
        message = _("The request is not valid.")
        return failure(status, message=message, errors=error.errors, **error.more)
    if isinstance(error, exceptions.ValidationError):
        message, found = _("The request is not valid."), list(_flat(error.detail, ""))
        return failure(status, message=message, errors=found)
    if isinstance(error, exceptions.ParseError):
        return failure(
            status,
            message=_("The request is not valid."),
            code="malformed",
            errors=[FieldError(getattr(error, "field", BODY), str(error.detail))],
        )
    if isinstance(error, exceptions.NotFound):
        # One answer for what never was and for what is another's.
        return failure(status, message=_("Not found."))
    code = "missing_scope" if isinstance(error, MissingScope) else ""
    return failure(status, message=str(error.detail), code=code)


def _headers(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, int(error.wait)))  # type: ignore[attr-defined]
    if error.status_code == 503:  # noqa: PLR2004
        headers["Retry-After"] = str(RETRY_SECONDS)
    return headers


def _of_django(error: DjangoValidationError) -> dict[str, list[str]]:
    if not hasattr(error, "error_dict"):
        return {BODY: list(error.messages)}
    return {
        BODY if name == NON_FIELD_ERRORS else name: [m for each in errors for m in each.messages]
        for name, errors in error.error_dict.items()
    }


def _flat(detail: Any, path: str) -> Iterable[FieldError]:
    """DRF's nested errors as one list: `terms.follow_ratio`, `items[2]`."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            own = path if name in {"non_field_errors", "detail"} else _joined(path, name)
            yield from _flat(inner, own)
    elif isinstance(detail, list):
        for place, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from _flat(inner, f"{path}[{place}]" if nested and inner else path)
    else:
        yield FieldError(path or BODY, str(detail))


def _joined(path: str, name: Any) -> str:
    if isinstance(name, int):  # a place in a list
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else str(name)
