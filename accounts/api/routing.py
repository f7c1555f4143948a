"""Addresses with and without a slash at the end: the document names them without."""

from __future__ import annotations

import re
from typing import Any, Final

from django.urls import URLPattern, re_path
from rest_framework.routers import SimpleRouter

OPTIONAL_SLASH: Final = "/?"


class Router(SimpleRouter):
    """`router.register("customers", CustomerViewSet, basename="customer")`, then `router.urls`."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = OPTIONAL_SLASH


def address(text: str, view: Any, name: str) -> URLPattern:
    """One plain address below /api/v1/, such as "trades/manual"."""
    at: URLPattern = re_path(rf"^{re.escape(text)}{OPTIONAL_SLASH}$", view.as_view(), name=name)
    return at
