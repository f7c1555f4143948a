"""The product's addresses, and a plain view beside the webhooks: each call in its own thread.

`/plain/<source uid>/` does all that `/hooks/<source uid>/` does, without the writer.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from config.urls import urlpatterns as product
from signals import views


@csrf_exempt
def plain(request: HttpRequest, source_uid: str) -> HttpResponse:
    # The view asks what kind of server a request came from.
    request.__class__ = HttpRequest
    return views.signed_webhook(request, source_uid)


urlpatterns = [path("plain/<str:source_uid>/", plain), *product]
