"""The one envelope of the API: around what was asked for, and around every refusal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from django.utils import timezone
from rest_framework.renderers import JSONRenderer

# The machine's word for each status; field errors tell the rest.
CODES: Final[Mapping[int, str]] = {
    400: "invalid",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
    500: "server_error",
    503: "unavailable",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    field: str
    reason: str


class EnvelopeRenderer(JSONRenderer):
    """JSON only, always the envelope. Put the bare data into `Response(data)`."""

    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        response = (renderer_context or {})["response"]
        if not getattr(response, "enveloped", False):
            data = success(response.status_code, data)
        return super().render(data, accepted_media_type, renderer_context)


def success(status: int, data: Any) -> dict[str, Any]:
    return {
        "code": status,
        "message": HTTPStatus(status).phrase,
        "data": data,
        "timestamp": written(timezone.now()),
    }


def failure(
    status: int,
    *,
    message: str = "",
    code: str = "",
    errors: Iterable[FieldError] = (),
    **more: str,
) -> dict[str, Any]:
    """The envelope of a refusal; without words of its own it says the status in words."""
    fields = [{"field": each.field, "reason": each.reason} for each in errors]
    return {
        "code": status,
        "message": message or HTTPStatus(status).phrase,
        "error": {"code": code or CODES.get(status, "invalid"), "fields": fields, **more},
        "timestamp": written(timezone.now()),
    }


def written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
