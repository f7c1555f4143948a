"""The API's document, the page that shows it, and the answer to unknown addresses."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import TemplateResponse
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator

from accounts.api.envelope import failure

MEDIA_TYPE = "application/vnd.oai.openapi+json"


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3 of everything below /api/v1/; made once, from the code alone."""
    with translation.override("en"):
        generator: Any = SchemaGenerator
        made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


class Document(View):
    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> JsonResponse:
        return JsonResponse(document(), content_type=MEDIA_TYPE)


class Page(View):
    """For people. Public: it says what the API is, and shows no row."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> TemplateResponse:
        return TemplateResponse(request, "api/docs.html")


@method_decorator(csrf_exempt, name="dispatch")
class Unknown(View):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return not_found()


def not_found() -> HttpResponse:
    return JsonResponse(failure(404, message="Not found."), status=404)
