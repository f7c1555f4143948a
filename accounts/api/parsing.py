"""Reading a request's body: one strict JSON object of bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from accounts import strict_json
from accounts.api.refusals import TooLarge


class StrictJsonParser(BaseParser):
    """No duplicate keys, no NaN, no floats: numbers are Decimal. Keeps the raw body for those
    who store it, as `request.raw_body`."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        raw = stream.read(strict_json.MAX_BYTES + 1)
        if len(raw) > strict_json.MAX_BYTES:
            raise TooLarge(_("The body is larger than 64 KiB."))
        (parser_context or {})["request"].raw_body = raw
        try:
            return strict_json.loads(raw)
        except strict_json.JsonError as error:
            refusal = ParseError(error.reason)
            refusal.field = error.field  # type: ignore[attr-defined]
            raise refusal from None
