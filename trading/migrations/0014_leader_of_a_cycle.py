"""Which of the leader's instruments a cycle follows, and whether the other way round.

What is to serve a foreign key comes first: MySQL drops no index that one still needs.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_two_factor"),
        ("customers", "0002_paper_accounts"),
        ("signals", "0006_signals_of_one_link"),
        ("strategies", "0006_terms_of_following"),
        ("trading", "0013_prices_and_closing_cycles"),
    ]

    operations = [
        migrations.AddField(
            model_name="cycle",
            name="is_reversed",
            field=models.BooleanField(default=False, verbose_name="reverse"),
        ),
        migrations.AddField(
            model_name="cycle",
            name="leader_inst_id",
            field=models.CharField(default="", max_length=40, verbose_name="leader's instrument"),
            preserve_default=False,
        ),
        # Until now everybody traded what the leader trades.
        migrations.RunSQL(
            "UPDATE trading_cycle SET leader_inst_id = inst_id", migrations.RunSQL.noop
        ),
        migrations.AddIndex(
            model_name="cycle",
            index=models.Index(
                fields=["source", "leader_inst_id", "ended_at"], name="cycle_of_leader"
            ),
        ),
        migrations.AddIndex(
            model_name="cycle",
            index=models.Index(
                fields=["link_uid", "leader_inst_id", "ended_at"], name="cycle_of_follower"
            ),
        ),
        migrations.RemoveIndex(model_name="cycle", name="cycle_of_source"),
        migrations.RemoveIndex(model_name="cycle", name="cycle_of_link"),
        migrations.AddConstraint(
            model_name="cycle",
            constraint=models.CheckConstraint(
                condition=models.Q(("leader_inst_id", ""), _negated=True),
                name="cycle_of_an_instrument",
            ),
        ),
    ]
