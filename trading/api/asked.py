"""Single parameters of a query string, read or refused by name."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


def chosen(request: Request, name: str, choices: Sequence[str]) -> str:
    """One of a few words; there is no default."""
    text = request.query_params.get(name, "")
    if text in choices:
        return text
    raise ValidationError({name: _("One of: %(choices)s.") % {"choices": ", ".join(choices)}})


def row_id(request: Request, name: str) -> uuid.UUID | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ValidationError({name: _("A UUID is needed.")}) from None
