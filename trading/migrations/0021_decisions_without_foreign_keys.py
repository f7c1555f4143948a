"""Decisions and cycles point to rows that their transaction has read: the database need not look.

Nor does it need the index of a key that nobody asks by. Attempts are found by their own keys,
which begin with the time.
"""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def drop_index_of_key(apps: Any, schema_editor: Any) -> None:
    """MySQL made one for the foreign key, and keeps it."""
    connection = schema_editor.connection
    if connection.vendor != "mysql":
        return
    table = "trading_decision"
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    for name, told in found.items():
        if told["index"] and told["columns"] == ["subscription_id"]:
            schema_editor.execute(f"DROP INDEX {schema_editor.quote_name(name)} ON {table}")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_two_factor"),
        ("customers", "0004_used_keys"),
        ("signals", "0008_percent_of_available"),
        ("strategies", "0006_terms_of_following"),
        ("trading", "0020_loss_limits_and_margin"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="orderattempt",
            name="attempt_recent",
        ),
        migrations.AlterField(
            model_name="cycle",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="cycles",
                to="customers.exchangeaccount",
                verbose_name="account",
            ),
        ),
        migrations.AlterField(
            model_name="cycle",
            name="source",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="signals.signalsource",
                verbose_name="source",
            ),
        ),
        migrations.AlterField(
            model_name="cycle",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="cycles",
                to="strategies.subscription",
                verbose_name="subscription",
            ),
        ),
        migrations.AlterField(
            model_name="cycle",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="decisions",
                to="customers.exchangeaccount",
                verbose_name="account",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="signal",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="decisions",
                to="signals.signal",
                verbose_name="signal",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="decisions",
                to="strategies.subscription",
                verbose_name="subscription",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="tenant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.tenant",
            ),
        ),
        migrations.RunPython(drop_index_of_key, migrations.RunPython.noop, atomic=False),
    ]
