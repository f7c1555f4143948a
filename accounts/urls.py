"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from accounts import views

app_name = "accounts"

urlpatterns = [
    path("step-up/", views.step_up, name="step_up"),
    path("desk/", views.choose_desk, name="choose_desk"),
]
