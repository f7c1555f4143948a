"""What must be true of the database session before the product may trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.checks import Error, Tags, register
from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Sequence

WANTED = {
    "time_zone": ("+00:00",),
    "character_set_connection": ("utf8mb4",),
    "isolation": ("READ-COMMITTED",),
}


@register(Tags.security)
def named_hosts(**kwargs: Any) -> list[Error]:
    """Live sockets are opened to pages of our own hosts only, and `*` names none."""
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "ALLOWED_HOSTS contains *: no page could be told from a foreign one.",
            hint="Name the hosts that people use.",
            id="config.E003",
        )
    ]


@register(Tags.database)
def mysql_session(databases: Sequence[str] | None = None, **kwargs: Any) -> list[Error]:
    """Compare what MySQL gave the session with what the settings asked for."""
    return [
        error
        for alias in databases or ()
        if connections[alias].vendor == "mysql"
        for error in session_errors(alias)
    ]


def session_errors(alias: str) -> list[Error]:
    with connections[alias].cursor() as cursor:
        # MariaDB 10 knows only the old name of the isolation variable, MySQL 8 only the other.
        cursor.execute(
            "SHOW SESSION VARIABLES WHERE Variable_name IN ('time_zone', 'sql_mode',"
            " 'character_set_connection', 'tx_isolation', 'transaction_isolation')"
        )
        found = dict(cursor.fetchall())
    isolation = found.get("transaction_isolation") or found.get("tx_isolation", "")
    found["isolation"] = isolation
    errors = [
        Error(
            f"The MySQL session has {name} = {found.get(name)!r}, not {wanted[0]!r}.",
            hint="Do not override init_command, charset or isolation_level in DATABASE_URL.",
            obj=alias,
            id="config.E001",
        )
        for name, wanted in WANTED.items()
        if found.get(name) not in wanted
    ]
    if "STRICT_TRANS_TABLES" not in found.get("sql_mode", ""):
        errors.append(
            Error(
                "The MySQL session is not strict: it would cut values that do not fit.",
                obj=alias,
                id="config.E002",
            )
        )
    return errors
