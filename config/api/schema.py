"""The API's document, made true: the envelope, the errors, the headers and the scopes."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema

from accounts.api.permissions import need_of

SCHEME: Final = "apiToken"
TEXT: Final = {"type": "string"}
WHOLE: Final = {"type": "integer"}
ERRORS: Final = {
    "400": "A parameter or a field is not valid; `error.fields` names each with its reason.",
    "401": "No token, or one that opens nothing.",
    "403": "The token lacks the scope, or its member may not do this.",
    "404": "There is no such row: it never was, or it is another's.",
    "406": "Only `application/json` is spoken.",
    "409": "It contradicts what is there; `error.fields` says where.",
    "413": "The body is larger than 64 KiB.",
    "415": "The body is not `application/json`.",
    "429": "Too many calls.",
    "503": "Nothing was changed; send it again.",
}
RATE_HEADERS: Final = {
    "X-RateLimit-Limit": "Calls allowed in this window of a minute.",
    "X-RateLimit-Remaining": "Calls left in it.",
    "X-RateLimit-Reset": "Seconds until it ends.",
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.authentication.TokenAuthentication"
    name = SCHEME

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        words = "A token of a desk, `cpd_…`. `Authorization: Token cpd_…` works alike."
        return {"type": "http", "scheme": "bearer", "description": words}


class FigureField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.serializers.Figure"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = {"type": "string", "pattern": r"^-?[0-9]{1,20}(\.[0-9]{1,18})?$"}
        return schema | {"description": "An exact decimal."}


class WordField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.serializers.Word"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "enum": self.target.words}


class RowReference(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "accounts.api.serializers.RowField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}


class EnvelopeSchema(AutoSchema):
    """Describes the bare data as drf-spectacular does, then puts around it what is really sent."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if not operation:
            return operation
        need = need_of(self.view, self.method)
        operation["description"] = "\n\n".join(
            part for part in (operation.get("description"), f"Scope: `{need.scope.value}`.") if part
        )
        operation["x-scope"] = need.scope.value
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                parameter["schema"] = {"type": "string", "format": "uuid"}
        operation["responses"] = {
            **{s: _success(s, r) for s, r in operation["responses"].items() if s < "400"},
            **{status: _error(status) for status in self._statuses(operation)},
        }
        return operation

    def _statuses(self, operation: dict[str, Any]) -> list[str]:
        """What may be refused: nothing is too large that has no body, nor absent with no id."""
        named = [status for status in operation["responses"] if status >= "400"]
        statuses = {"400", "401", "403", "406", "429", "503", *named}
        if self.method == "POST":
            statuses |= {"413", "415"}
        if "{" in self.path:
            statuses.add("404")
        return sorted(statuses)


def finish(result: Any, **_: Any) -> Any:
    """Addresses without the optional slash, bodies closed, and the parts all answers share."""
    result["paths"] = {
        path.rstrip("/"): dict(sorted(item.items())) for path, item in result["paths"].items()
    }
    schemas = result["components"].setdefault("schemas", {})
    for schema in schemas.values():
        _close(schema)
    schemas["Error"] = _error_envelope()
    return _without_marks(result)


def _without_marks(node: Any) -> Any:
    """drf-spectacular marks sets of words for a hook that names them; nobody else wants it."""
    if isinstance(node, dict):
        return {k: _without_marks(v) for k, v in node.items() if k != "x-spec-enum-id"}
    return [_without_marks(each) for each in node] if isinstance(node, list) else node


def _close(schema: dict[str, Any]) -> None:
    """No other fields than these, in or out; without what serializers say to forms only."""
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for part in schema.get("properties", {}).values():
        for name in ("title", "readOnly", "writeOnly"):
            part.pop(name, None)


def _success(status: str, response: dict[str, Any]) -> dict[str, Any]:
    content = response.get("content") or {}
    data: dict[str, Any] = next(
        (each["schema"] for each in content.values() if "schema" in each), {}
    )
    return {
        "description": response.get("description") or "",
        "headers": _headers(RATE_HEADERS),
        "content": {"application/json": {"schema": _envelope(int(status), data)}},
    }


def _envelope(status: int, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["code", "message", "data", "timestamp"],
        "properties": {
            "code": {"type": "integer", "enum": [status]},
            "message": TEXT,
            "data": data,
            "timestamp": {"type": "string", "format": "date-time"},
        },
    }


def _error(status: str) -> dict[str, Any]:
    headers = {} if status == "401" else _headers(RATE_HEADERS)
    if status in {"429", "503"}:
        headers |= _headers({"Retry-After": "Seconds to wait."})
    if status == "401":
        headers |= _headers({"WWW-Authenticate": "How to enter."}, TEXT)
    schema = {"$ref": "#/components/schemas/Error"}
    return {
        "description": ERRORS.get(status, ""),
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _headers(words: dict[str, str], schema: dict[str, Any] = WHOLE) -> dict[str, Any]:
    return {name: {"description": text, "schema": schema} for name, text in words.items()}


def _error_envelope() -> dict[str, Any]:
    fault = {
        "type": "object",
        "additionalProperties": False,
        "required": ["field", "reason"],
        "properties": {"field": TEXT, "reason": TEXT},
    }
    error = {
        "type": "object",
        "additionalProperties": False,
        "required": ["code", "fields"],
        "properties": {
            "code": {"type": "string", "description": "A word for the machine."},
            "fields": {"type": "array", "items": fault},
            "signal_id": {
                "type": "string",
                "format": "uuid",
                "description": "Of a refused signal.",
            },
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["code", "message", "error", "timestamp"],
        "properties": {
            "code": {"type": "integer", "minimum": 400, "maximum": 599},
            "message": TEXT,
            "error": error,
            "timestamp": {"type": "string", "format": "date-time"},
        },
    }
