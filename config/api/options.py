"""What the API's libraries are told; a part of the settings."""

from __future__ import annotations

from typing import Any

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.EnvelopeSchema",
    # A view that forgets to say is closed to everyone but tokens, and speaks only JSON.
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api.permissions.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": ["accounts.api.envelope.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsing.StrictJsonParser"],
    "EXCEPTION_HANDLER": "accounts.api.handling.refuse",
    "URL_FORMAT_OVERRIDE": None,
}

_INTRODUCTION = """\
Programs enter with a token that an owner of the desk makes in the back office:
`Authorization: Bearer cpd_…` (or `Token cpd_…`). A token acts for one member of one desk, with
the scopes it was given: `read`, `signals:write`, `trade`. Each operation names the scope it needs.

Every answer is one envelope: `{code, message, data, timestamp}`, or for a refusal
`{code, message, error, timestamp}`, where `code` is the HTTP status and `error` holds a word for
the machine and the fields at fault. Lists hold `{items, page, page_size, total, pages}`.

Decimals are text. Times are ISO 8601 in UTC. Ids are UUIDs. A plain day in a filter is the desk's
day, in its time zone. What belongs to another desk answers exactly as what never was: 404.

Calls are counted per token and per desk in windows of a minute; `X-RateLimit-Limit`,
`X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds) tell what is left, and a call too many is
429 with `Retry-After`.
"""

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Copydesk API",
    "DESCRIPTION": _INTRODUCTION,
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    # No names for sets of words: several resources use one field name for different sets.
    "POSTPROCESSING_HOOKS": ["config.api.schema.finish"],
}
