"""The tables to be partitioned by month obey MySQL's rules from the first migration on."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from trading.models import Fill, Order, OrderAttempt, OrderEvent

pytestmark = [pytest.mark.django_db, pytest.mark.database]

PARTITIONED = {
    Order: "signal_at",
    OrderAttempt: "signal_at",
    OrderEvent: "signal_at",
    Fill: "filled_at",
}


def keys(table: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        return list(connection.introspection.get_constraints(cursor, table).values())


@pytest.mark.parametrize("model", PARTITIONED)
def test_every_unique_key_contains_the_partition_column(model: Any) -> None:
    unique = [key["columns"] for key in keys(model._meta.db_table) if key["unique"]]

    # SQLite, which is not partitioned, keeps its plain primary key and does not list it here.
    assert all(PARTITIONED[model] in columns for columns in unique), unique
    if connection.vendor == "mysql":
        assert ["id", PARTITIONED[model]] in unique


def test_the_database_knows_no_foreign_key_to_or_from_them() -> None:
    tables = {model._meta.db_table for model in PARTITIONED}
    found = [
        (model._meta.db_table, key["foreign_key"])
        for model in apps.get_models()
        for key in keys(model._meta.db_table)
        if key["foreign_key"]
        and (model._meta.db_table in tables or key["foreign_key"][0] in tables)
    ]

    assert found == []
