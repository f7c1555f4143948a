"""The product's addresses and one dangerous view of the tests."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from accounts.stepup import step_up_required
from config.urls import urlpatterns as product


@step_up_required
def dangerous(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [*product, path("dangerous/", dangerous)]
