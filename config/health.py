"""Whether this process is alive; says nothing else about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

if TYPE_CHECKING:
    from django.http import HttpRequest


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer without touching a database, so that only a stuck process fails to."""
    return HttpResponse("ok", content_type="text/plain")
