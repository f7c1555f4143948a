"""The addresses that senders call."""

from __future__ import annotations

from django.urls import path

from signals import views

app_name = "signals"
# Plain text, not <uuid:>: a malformed address gets the same answer as an unknown one.
urlpatterns = [
    path("t/<str:token>/", views.token_webhook, name="token_webhook"),
    path("<str:source_uid>/", views.signed_webhook, name="signed_webhook"),
]
