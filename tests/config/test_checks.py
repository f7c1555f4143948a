"""The check that refuses a database session which would lie about time or cut values."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from config.checks import session_errors


@pytest.mark.django_db
@pytest.mark.database
def test_the_session_of_the_settings_has_nothing_wrong() -> None:
    call_command("check", databases=["default"], fail_level="WARNING")


@pytest.mark.django_db
@pytest.mark.services
@pytest.mark.parametrize(
    ("label", "statement", "restore", "expected"),
    [
        ("another zone", "time_zone='SYSTEM'", "time_zone='+00:00'", "config.E001"),
        ("not strict", "sql_mode=''", "sql_mode='STRICT_TRANS_TABLES'", "config.E002"),
        ("three-byte text", "NAMES utf8mb3", "NAMES utf8mb4", "config.E001"),
    ],
)
def test_a_wrong_session_is_an_error(
    label: str, statement: str, restore: str, expected: str
) -> None:
    assert session_errors("default") == [], label
    with connection.cursor() as cursor:
        cursor.execute(f"SET {statement}")

    found = [error.id for error in session_errors("default")]

    with connection.cursor() as cursor:
        cursor.execute(f"SET {restore}")
    assert found == [expected], label


@pytest.mark.django_db
@pytest.mark.services
def test_the_servers_own_zone_is_not_the_sessions() -> None:
    """The run's MariaDB stands eight hours off, or this suite could not see a missing zone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@global.time_zone, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW())")
        server_zone, seconds_apart = cursor.fetchone()

    assert server_zone != "UTC"
    assert seconds_apart == 0
