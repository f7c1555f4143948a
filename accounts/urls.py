"""Addresses of this room."""

from __future__ import annotations

from django.urls import path

from accounts import factor_views, views

app_name = "accounts"

urlpatterns = [
    path("step-up/", views.step_up, name="step_up"),
    path("code/", factor_views.code, name="code"),
    path("two-factor/", factor_views.two_factor_page, name="two_factor"),
    path("desk/", views.choose_desk, name="choose_desk"),
]
