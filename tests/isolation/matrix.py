"""Every address, task and socket, and who proves that it keeps the desks apart.

A new route fails test_routes.py until it has its line here; a line without a route does too.
"""

from __future__ import annotations

from typing import Final

# The pages that Django makes for every registered model; test_admin.py walks them all.
PER_MODEL: Final = {
    "{admin}": "admin-list",
    "{admin}add/": "admin-list",
    "{admin}<path:object_id>/history/": "admin-object",
    "{admin}<path:object_id>/delete/": "admin-object",
    "{admin}<path:object_id>/change/": "admin-object",
    "{admin}<path:object_id>/": "exempt: redirects to change/ without looking at the row",
}
# Pages that a model's admin adds itself: attacks.FURTHER_PAGES.
FURTHER: Final = {
    "admin/customers/customer/<int:object_id>/portal/": "admin-object",
    "admin/customers/exchangeaccount/<int:object_id>/key/": "admin-object",
    "admin/notifications/destination/<int:object_id>/test/": "admin-object",
    "admin/signals/signalsource/<int:object_id>/secret/": "admin-object",
    "admin/signals/signalsource/<int:object_id>/address/": "admin-object",
}
ROUTES: Final = {
    "livez": "public: says that the process lives, reads no row",
    "admin/": "admin-page",
    "admin/login/": "public: asks for a password, shows no row",
    "admin/logout/": "exempt: ends the session, shows no row",
    "admin/password_change/": "admin-page",
    "admin/password_change/done/": "exempt: says that it is done, shows no row",
    "admin/jsi18n/": "exempt: words of the interface, no row",
    "admin/autocomplete/": "admin-list",
    "admin/search/": "admin-page",
    "admin/desk/": "admin-page",
    "admin/switch/": "admin-page",
    "admin/signals/new/": "admin-page",
    "admin/r/<path:content_type_id>/<path:object_id>/": "admin-object",
    "admin/^(?P<app_label>{apps})/$": "admin-page",
    "admin/(?P<url>.*)$": "exempt: adds a slash, or answers 404; looks at no row",
    "admin/accounts/user/<id>/password/": "admin-object",
    "admin/me/step-up/": "admin-page",
    "": "exempt: redirects by role, shows no row",
    "admin/me/code/": "exempt: shows nothing but the name of who gave the password",
    "admin/me/two-factor/": "exempt: one's own authenticator only; takes no id",
    "i18n/language/": "exempt: sets one's own language, shows no row",
    "admin/me/desk/": "desk: only one's own desks exist",
    "portal/": "portal",
    "portal/positions/": "portal",
    "portal/orders/": "portal",
    "portal/orders/<uuid:order_id>/": "portal",
    "portal/why/": "portal",
    "portal/why/<uuid:decision_id>/": "portal",
    "portal/account/": "portal",
    "portal/account/looks/": "portal",
    "portal/account/password/": "portal",
    "portal/desk/": "portal",
    "portal/licences/": "public: notices of what the pages bring along, no row",
    "portal/login/": "public: asks for a password, shows no row",
    "portal/logout/": "exempt: ends the session, shows no row",
    "portal/welcome/<uuid:uid>/<str:token>/": "portal",
    "hooks/t/<str:token>/": "webhook",
    "hooks/<str:source_uid>/": "webhook",
    "api/v1/^customers/?$": "api",
    "api/v1/^customers/(?P<id>[^/.]+)/?$": "api",
    "api/v1/^accounts/?$": "api",
    "api/v1/^accounts/(?P<id>[^/.]+)/?$": "api",
    "api/v1/^accounts/(?P<id>[^/.]+)/pause/?$": "api",
    "api/v1/^accounts/(?P<id>[^/.]+)/resume/?$": "api",
    "api/v1/^trades/manual/?$": "api-trading",
    "api/v1/^trades/?$": "api-trading",
    "api/v1/^trades/(?P<id>[^/.]+)/?$": "api-trading",
    "api/v1/^decisions/?$": "api-trading",
    "api/v1/^decisions/(?P<id>[^/.]+)/?$": "api-trading",
    "api/v1/^positions/?$": "api-trading",
    "api/v1/^balances/?$": "api-trading",
    "api/v1/^dashboard/stats/?$": "api-trading",
    "api/v1/^dashboard/charts/?$": "api-trading",
    "api/v1/^status/?$": "api-trading",
    "api/v1/^trading/pause/?$": "api-trading",
    "api/v1/^sources/?$": "api",
    "api/v1/^sources/(?P<id>[^/.]+)/?$": "api",
    "api/v1/^signals/?$": "api",
    "api/v1/^signals/(?P<id>[^/.]+)/?$": "api",
    "api/v1/^signals/(?P<id>[^/.]+)/decisions/?$": "api",
    "api/v1/^strategies/?$": "api",
    "api/v1/^strategies/(?P<id>[^/.]+)/?$": "api",
    "api/v1/^strategies/(?P<id>[^/.]+)/customers/?$": "api",
    "api/v1/^strategies/(?P<id>[^/.]+)/pause/?$": "api",
    "api/v1/^strategies/(?P<id>[^/.]+)/resume/?$": "api",
    "api/v1/^subscriptions/?$": "api",
    "api/v1/^subscriptions/(?P<id>[^/.]+)/?$": "api",
    "api/v1/^subscriptions/(?P<id>[^/.]+)/pause/?$": "api",
    "api/v1/^subscriptions/(?P<id>[^/.]+)/resume/?$": "api",
    "api/schema/": "public: what the API is, made from the code, no row",
    "api/docs/": "public: the page that shows it, no row",
    "api/": "exempt: answers 404 to whatever is not served",
}
KINDS: Final = {
    *(
        "public",
        "admin-list",
        "admin-object",
        "admin-page",
        "webhook",
        "portal",
        "api",
        "api-trading",
        "live",
        "desk",
        "exempt",
    ),
}
# Tests that attack the addresses of a kind.
PROVED_BY: Final = {
    "admin-list": "test_admin.py",
    "admin-object": "test_admin.py",
    "admin-page": "test_admin.py",
    "desk": "test_admin.py",
    "webhook": "test_webhooks.py",
    "portal": "test_portal.py",
    "api": "test_api.py",
    "api-trading": "test_api_trading.py",
    "live": "../notifications/live/test_isolation.py",  # needs rows that are really committed
}

# Tasks: those that take ids find the desk in the row, whatever the message says.
TASKS: Final = {
    "trading.tasks.copy_signal": "ids: the source's desk, read from the signal's source",
    "trading.tasks.send_shard": "ids: each order is sent with the keys of its own account",
    "trading.tasks.follow_up": "ids: cycles and lanes of the orders' own accounts",
    "trading.tasks.verify_account": "ids: the account's desk, read from the account",
    "trading.tasks.reconcile_account": "ids: the account's desk, read from the account",
    "trading.tasks.sweep_orders": "all: finds work of every desk, then works by row",
    "trading.tasks.verify_pending": "all: finds work of every desk, then works by row",
    "trading.tasks.reconcile_accounts": "all: finds work of every desk, then works by row",
    "trading.tasks.forget_old_runs": "all: deletes by age, tells nobody",
    "trading.tasks.warm_up": "all: reads which markets are in use",
    "trading.tasks.executor_heartbeat": "none: writes a row of the house",
    "notifications.tasks.tell_people": "all: each message is its destination's, of one desk",
    "notifications.tasks.sweep_live": "all: finds what was not told, then tells each desk its own",
    "notifications.tasks.prune_live": "all: deletes by age and number, tells nobody",
    "signals.tasks.prune_nonces": "all: deletes by age, tells nobody",
}
SOCKETS: Final = {"ws/live/": "live", "": "exempt: nobody serves the address"}
