"""On MySQL the keys of tables to be partitioned contain the partition column (error 1503)."""

from __future__ import annotations

from django.db import migrations

PARTITIONED = (
    ("trading_order", "signal_at"),
    ("trading_orderattempt", "signal_at"),
    ("trading_orderevent", "signal_at"),
    ("trading_fill", "filled_at"),
)


def widen(apps, schema_editor):
    _set_keys(schema_editor, lambda column: ("id", column))


def narrow(apps, schema_editor):
    _set_keys(schema_editor, lambda column: ("id",))


def _set_keys(schema_editor, key_for):
    if schema_editor.connection.vendor != "mysql":
        return
    quote = schema_editor.quote_name
    for table, column in PARTITIONED:
        key = ", ".join(quote(name) for name in key_for(column))
        schema_editor.execute(
            f"ALTER TABLE {quote(table)} DROP PRIMARY KEY, ADD PRIMARY KEY ({key})"
        )


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_initial")]

    operations = [migrations.RunPython(widen, narrow, atomic=False)]
