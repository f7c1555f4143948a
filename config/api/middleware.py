"""The border of the API: no cookie passes it either way, and every answer is its envelope."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from django.http import HttpRequest, JsonResponse

from accounts.api.envelope import failure

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase

API: Final = "/api/"
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class ApiBorderMiddleware:
    """Below /api/ a session is not looked at and none is made, and a fault that never reached
    a view (a wrong host, a body that breaks off, our own error) is told in the envelope."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API):
            return self.get_response(request)
        request.META.pop("HTTP_COOKIE", None)
        response = self.get_response(request)
        if response.status_code >= 400 and not _is_json(response):  # noqa: PLR2004
            response = _enveloped(request, response)
        response.cookies.clear()
        for name, text in HEADERS.items():
            response.headers.setdefault(name, text)
        return response


def _is_json(response: HttpResponseBase) -> bool:
    return response.headers.get("Content-Type", "").startswith("application/json")


def _enveloped(request: HttpRequest, response: HttpResponseBase) -> JsonResponse:
    answer = JsonResponse(failure(response.status_code), status=response.status_code)
    for name in ("Allow", "Retry-After", "X-Request-ID"):
        if name in response.headers:
            answer.headers[name] = response.headers[name]
    return answer
