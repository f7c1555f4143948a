"""Addresses of the customers' portal."""

from __future__ import annotations

from django.urls import path

from accounts.views import choose_desk
from config.portal import account, entrance, pages

app_name = "portal"

urlpatterns = [
    path("", pages.overview, name="overview"),
    path("positions/", pages.positions, name="positions"),
    path("orders/", pages.orders, name="orders"),
    path("orders/<uuid:order_id>/", pages.order, name="order"),
    path("why/", pages.why, name="why"),
    path("why/<uuid:decision_id>/", pages.decision, name="decision"),
    path("account/", account.account, name="account"),
    path("account/looks/", account.looks, name="looks"),
    path("account/password/", account.password, name="password"),
    path("desk/", choose_desk, name="desk"),
    path("licences/", account.licences, name="licences"),
    path("login/", entrance.Login.as_view(), name="login"),
    path("logout/", entrance.Logout.as_view(), name="logout"),
    path("welcome/<uuid:uid>/<str:token>/", entrance.welcome, name="welcome"),
]
