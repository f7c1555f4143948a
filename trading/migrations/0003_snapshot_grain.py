"""Readings learn the longest span that they are the first of; those there are told it here."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.db import migrations, models

CHOICES = [(0, "Minute"), (1, "Quarter of an hour"), (2, "Hour"), (3, "Day of the desk")]
AT_ONCE = 500


def tell(apps, schema_editor):
    snapshots = models.QuerySet(apps.get_model("trading", "EquitySnapshot"))
    accounts = models.QuerySet(apps.get_model("customers", "ExchangeAccount"))
    for account in accounts.select_related("tenant").order_by("pk").iterator():
        before, told = None, {1: [], 2: [], 3: []}
        rows = snapshots.filter(account_id=account.pk).order_by("at").values_list("pk", "at")
        for pk, at in rows.iterator():
            grain = _grain(account.tenant, at, before)
            before = at
            if grain:
                told[grain].append(pk)
        for grain, keys in told.items():
            for place in range(0, len(keys), AT_ONCE):
                snapshots.filter(pk__in=keys[place : place + AT_ONCE]).update(grain=grain)


def _grain(tenant, at, before):
    if before is not None and before >= _floor(at, 15):
        return 0
    if before is None or before < _day_start(tenant, at):
        return 3
    return 1 if before >= _floor(at, 60) else 2


def _floor(at, minutes):
    return at.replace(minute=at.minute // minutes * minutes, second=0, microsecond=0)


def _day_start(tenant, at):
    local = at.astimezone(ZoneInfo(tenant.timezone))
    start = local.replace(hour=tenant.day_starts_at, minute=0, second=0, microsecond=0)
    return start if start <= local else start - timedelta(days=1)


def _field(default):
    return models.PositiveSmallIntegerField(
        choices=CHOICES, default=default, editable=False, verbose_name="first of its"
    )


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_partition_keys")]

    operations = [
        migrations.AddField("equitysnapshot", "grain", _field(0)),
        migrations.RunPython(tell, migrations.RunPython.noop),
        migrations.AlterField("equitysnapshot", "grain", _field(3)),
        migrations.AddIndex(
            "equitysnapshot",
            models.Index(fields=["account", "grain", "at"], name="equity_snapshot_curve"),
        ),
    ]
