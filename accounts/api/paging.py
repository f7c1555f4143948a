"""Lists page by page, with totals."""

from __future__ import annotations

from typing import Any, Final

from django.core.paginator import Paginator
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

PAGE_SIZE: Final = 50
LARGEST: Final = 200
LAST_PAGE: Final = 100_000


class Pages(BasePagination):
    """`page` from 1, `page_size` up to 200; anything else is refused by name."""

    query_parameters = ("page", "page_size")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        number = _whole(request, "page", 1, LAST_PAGE)
        self.size = _whole(request, "page_size", PAGE_SIZE, LARGEST)
        pages = Paginator(queryset, self.size)
        if number > pages.num_pages:
            told = {"pages": pages.num_pages}
            raise ValidationError({"page": _("The last page is %(pages)d.") % told})
        self.page = pages.page(number)
        return list(self.page.object_list)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "items": data,
                "page": self.page.number,
                "page_size": self.size,
                "total": self.page.paginator.count,
                "pages": self.page.paginator.num_pages,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        counts = {"type": "integer", "minimum": 0}
        places = {"type": "integer", "minimum": 1}
        return {
            "type": "object",
            "additionalProperties": False,
            "required": ["items", "page", "page_size", "total", "pages"],
            "properties": {
                "items": schema,
                "page": places,
                "page_size": {**places, "maximum": LARGEST},
                "total": {**counts, "description": "Rows on all pages."},
                "pages": places,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter("page", "The page, from 1.", 1, LAST_PAGE),
            _parameter("page_size", "Rows on a page.", PAGE_SIZE, LARGEST),
        ]


def _whole(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most:
        return int(text)
    raise ValidationError({name: _("A whole number from 1 to %(most)d.") % {"most": most}})


def _parameter(name: str, words: str, default: int, most: int) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return {"name": name, "in": "query", "required": False, "description": words, "schema": schema}
