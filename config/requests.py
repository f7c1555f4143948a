"""The access log: an id for every request and one line when it is answered."""

from __future__ import annotations

import logging
import time
import uuid
from typing import TYPE_CHECKING

from config.logging import request_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

logger = logging.getLogger("copydesk.requests")
QUIET = ("/livez", "/readyz", "/health", "/metrics", "/static/")


class RequestIdMiddleware:
    """Give the request an id of ours, which its log lines and its answer carry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.request_id = uuid.uuid4().hex  # type: ignore[attr-defined]
        token = request_id.set(request.request_id)  # type: ignore[attr-defined]
        started = time.perf_counter()
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id.get()
            level = logging.DEBUG if request.path.startswith(QUIET) else logging.INFO
            logger.log(
                level,
                "%s %s %s in %d ms",
                request.method,
                request.path,
                response.status_code,
                (time.perf_counter() - started) * 1000,
            )
            return response
        finally:
            request_id.reset(token)
