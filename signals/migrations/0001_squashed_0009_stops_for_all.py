"""Every migration of this room before it, in one: the tables of a new installation as they are now."""

import accounts.fields
import django.core.validators
import django.db.models.deletion
import uuid
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("signals", "0001_initial"),
        ("signals", "0002_protected_signals"),
        ("signals", "0003_dialects"),
        ("signals", "0004_approval"),
        ("signals", "0005_leader_numbers"),
        ("signals", "0006_signals_of_one_link"),
        ("signals", "0007_leader_accounts"),
        ("signals", "0008_percent_of_available"),
        ("signals", "0009_stops_for_all"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0004_two_factor"),
        ("customers", "0001_squashed_0004_used_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignalSource",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("webhook", "Webhook"),
                            ("manual", "Manual"),
                            ("system", "System"),
                            ("leader", "Leader account"),
                            ("api", "API"),
                        ],
                        default="webhook",
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "dialect",
                    models.CharField(
                        choices=[
                            ("copydesk", "Copydesk JSON"),
                            ("okx_strategy", "OKX Signal Bot, strategy"),
                            ("okx_universal", "OKX Signal Bot, universal"),
                            ("three_commas", "3Commas Signal Bot"),
                            ("octobot", "OctoBot KEY=VALUE"),
                            ("openalgo", "OpenAlgo smart order"),
                        ],
                        default="copydesk",
                        max_length=24,
                        verbose_name="format",
                    ),
                ),
                (
                    "market",
                    models.CharField(
                        choices=[
                            ("simulator", "Simulator"),
                            ("demo", "OKX demo trading"),
                            ("live-global", "OKX"),
                            ("live-eea", "OKX EEA"),
                            ("live-us", "OKX US"),
                        ],
                        help_text="Whose instruments and prices give its quantities their meaning.",
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                (
                    "secret",
                    accounts.fields.EncryptedTextField(blank=True, verbose_name="signing secret"),
                ),
                (
                    "previous_secret",
                    accounts.fields.EncryptedTextField(
                        blank=True, verbose_name="previous signing secret"
                    ),
                ),
                (
                    "token_hash",
                    models.CharField(editable=False, max_length=64, null=True, unique=True),
                ),
                (
                    "rate_per_second",
                    models.PositiveIntegerField(
                        default=20,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                        verbose_name="signals per second at most",
                    ),
                ),
                (
                    "approval",
                    models.CharField(
                        choices=[
                            ("none", "Nothing waits"),
                            ("openings", "Openings wait"),
                            ("all", "Everything waits"),
                        ],
                        default="none",
                        help_text="What waits until a person approves it. Cancels never wait.",
                        max_length=16,
                        verbose_name="approval",
                    ),
                ),
                (
                    "approval_seconds",
                    models.PositiveIntegerField(
                        default=300,
                        help_text="Seconds. A strategy still refuses openings that are older than its own limit: raise it there as well. Closes wait as long as it takes.",
                        validators=[
                            django.core.validators.MinValueValidator(10),
                            django.core.validators.MaxValueValidator(86400),
                        ],
                        verbose_name="openings wait for at most",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("enabled", "Enabled"),
                            ("disabled", "Disabled"),
                            ("quarantined", "Set aside after repeated failures"),
                        ],
                        default="enabled",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "last_signal_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last signal"),
                ),
                (
                    "refused_count",
                    models.PositiveBigIntegerField(
                        default=0, editable=False, verbose_name="refused calls"
                    ),
                ),
                (
                    "duplicate_count",
                    models.PositiveBigIntegerField(
                        default=0, editable=False, verbose_name="duplicates"
                    ),
                ),
                ("claim_token", models.UUIDField(editable=False, null=True)),
                ("claim_until", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "signal source",
                "verbose_name_plural": "signal sources",
                "ordering": ("name",),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "name"), name="source_name_per_tenant"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SignalNonce",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("nonce_hash", models.CharField(max_length=64)),
                ("used_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="signals.signalsource",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["used_at"], name="nonce_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "nonce_hash"), name="nonce_once_per_source"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Signal",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "external_id",
                    models.CharField(blank=True, max_length=128, verbose_name="sender's id"),
                ),
                ("dedupe_hash", models.CharField(editable=False, max_length=64, null=True)),
                ("inst_id", models.CharField(blank=True, max_length=40, verbose_name="instrument")),
                (
                    "intent",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("open", "Open"),
                            ("add", "Add"),
                            ("reduce", "Reduce"),
                            ("close", "Close"),
                            ("flip", "Flip"),
                            ("target", "Target"),
                            ("cancel", "Cancel"),
                        ],
                        max_length=8,
                        verbose_name="intent",
                    ),
                ),
                (
                    "direction",
                    models.CharField(
                        blank=True,
                        choices=[("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="direction",
                    ),
                ),
                (
                    "quantity_mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("contracts", "Contracts"),
                            ("base", "Base currency"),
                            ("notional", "Notional"),
                            ("percent", "Percent of the position"),
                            ("percent_equity", "Percent of equity"),
                            ("pct_available", "Percent of the available balance"),
                        ],
                        max_length=16,
                        verbose_name="quantity in",
                    ),
                ),
                (
                    "quantity_value",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="quantity as sent"
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        help_text="Contracts, or percent where the unit says so.",
                        max_digits=38,
                        null=True,
                        verbose_name="quantity",
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[
                            ("contracts", "Contracts"),
                            ("percent_equity", "Percent of equity"),
                            ("pct_available", "Percent of the available balance"),
                        ],
                        default="contracts",
                        max_length=16,
                    ),
                ),
                (
                    "reference_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="reference price"
                    ),
                ),
                (
                    "leverage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="leverage"
                    ),
                ),
                (
                    "margin_mode",
                    models.CharField(
                        blank=True,
                        choices=[("cross", "Cross"), ("isolated", "Isolated")],
                        max_length=16,
                        verbose_name="leader's margin mode",
                    ),
                ),
                (
                    "leader_equity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        help_text="USDT, when it traded. Sizing in proportion to equity needs it.",
                        max_digits=38,
                        null=True,
                        verbose_name="leader's equity",
                    ),
                ),
                (
                    "leader_entry",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        help_text="Of its whole position after this signal, where its sender says so.",
                        max_digits=38,
                        null=True,
                        verbose_name="leader's average entry",
                    ),
                ),
                (
                    "take_profit",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="take profit"
                    ),
                ),
                (
                    "stop_loss",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="stop loss"
                    ),
                ),
                (
                    "stated",
                    models.JSONField(
                        editable=False,
                        help_text="What the sender said of its whole position, of formats that say so.",
                        null=True,
                        verbose_name="position as stated",
                    ),
                ),
                (
                    "has_gap",
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text="The sender came from another position than we knew: one of its was lost.",
                        verbose_name="gap",
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "—"),
                            ("existing", "Copy what the leader holds"),
                            (
                                "existing_better",
                                "Copy what the leader holds, if the price is better",
                            ),
                            ("leave", "Close what a subscription holds"),
                        ],
                        editable=False,
                        max_length=16,
                        verbose_name="made by the product",
                    ),
                ),
                ("link_uid", models.UUIDField(editable=False, null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("accepted", "Accepted"),
                            ("held", "Waits for approval"),
                            ("copied", "Copied"),
                            ("refused", "Refused"),
                            ("expired", "Expired"),
                            ("quarantined", "Set aside"),
                        ],
                        default="accepted",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "refused_field",
                    models.CharField(blank=True, max_length=80, verbose_name="field"),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "—"),
                            ("INVALID", "Invalid"),
                            ("EXPIRED", "Too old when it arrived"),
                            ("CLOCK_SKEW", "Dated in the future"),
                            ("SOURCE_DISABLED", "Source is disabled"),
                            ("NO_STRATEGY", "No strategy follows this source"),
                            ("RATE_LIMITED", "Too many signals"),
                            ("REJECTED", "Rejected by a person"),
                            ("NOT_APPROVED", "Nobody approved it in time"),
                            ("OVERTAKEN", "Overtaken by a later signal"),
                            ("POISON", "Set aside after repeated failures"),
                        ],
                        max_length=32,
                        verbose_name="reason",
                    ),
                ),
                (
                    "reason_text",
                    models.CharField(blank=True, max_length=300, verbose_name="in words"),
                ),
                (
                    "held_until",
                    models.DateTimeField(
                        editable=False,
                        help_text="When an opening that waits for approval expires; closes never do.",
                        null=True,
                        verbose_name="waits until",
                    ),
                ),
                (
                    "decided_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="decided at"),
                ),
                ("claims", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("raw", models.TextField(blank=True, verbose_name="payload as received")),
                ("signal_at", models.DateTimeField(verbose_name="signal time")),
                ("received_at", models.DateTimeField(verbose_name="received")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="opens expire")),
                ("copied_at", models.DateTimeField(null=True, verbose_name="copied")),
                (
                    "account",
                    models.ForeignKey(
                        help_text="Manual signals act on one account.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="manual_signals",
                        to="customers.exchangeaccount",
                        verbose_name="only for account",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="entered by",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signals",
                        to="signals.signalsource",
                        verbose_name="source",
                    ),
                ),
            ],
            options={
                "verbose_name": "signal",
                "verbose_name_plural": "signals",
                "ordering": ("-received_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        fields=["source", "status", "received_at"], name="signal_next_of_source"
                    ),
                    models.Index(fields=["status", "received_at"], name="signal_waiting"),
                    models.Index(fields=["tenant", "received_at"], name="signal_of_tenant"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "dedupe_hash"), name="signal_once_per_source"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LeaderPosition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("scope_key", models.CharField(default="", editable=False, max_length=40)),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "direction",
                    models.CharField(
                        choices=[("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="direction",
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="quantity"
                    ),
                ),
                (
                    "unit",
                    models.CharField(
                        choices=[
                            ("contracts", "Contracts"),
                            ("percent_equity", "Percent of equity"),
                            ("pct_available", "Percent of the available balance"),
                        ],
                        default="contracts",
                        max_length=16,
                        verbose_name="unit",
                    ),
                ),
                (
                    "average_entry",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="average entry"
                    ),
                ),
                ("updated_at", models.DateTimeField(verbose_name="changed")),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positions",
                        to="signals.signalsource",
                        verbose_name="source",
                    ),
                ),
            ],
            options={
                "verbose_name": "leader position",
                "verbose_name_plural": "leader positions",
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("source", "scope_key", "inst_id", "direction"),
                        name="leader_position_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LeaderAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("api_key", accounts.fields.EncryptedTextField(blank=True, verbose_name="API key")),
                (
                    "api_secret",
                    accounts.fields.EncryptedTextField(blank=True, verbose_name="API secret"),
                ),
                (
                    "passphrase",
                    accounts.fields.EncryptedTextField(blank=True, verbose_name="passphrase"),
                ),
                (
                    "key_last4",
                    models.CharField(
                        blank=True, editable=False, max_length=4, verbose_name="key ends in"
                    ),
                ),
                (
                    "key_fingerprint",
                    models.CharField(editable=False, max_length=64, null=True, unique=True),
                ),
                ("key_version", models.PositiveIntegerField(default=0, editable=False)),
                (
                    "key_status",
                    models.CharField(
                        choices=[
                            ("missing", "No key"),
                            ("pending", "Being checked"),
                            ("verified", "Verified"),
                            ("refused", "Refused"),
                        ],
                        default="missing",
                        editable=False,
                        max_length=16,
                        verbose_name="key",
                    ),
                ),
                (
                    "key_reason",
                    models.CharField(
                        blank=True, editable=False, max_length=300, verbose_name="key check"
                    ),
                ),
                (
                    "key_permissions",
                    models.JSONField(default=list, editable=False, verbose_name="permissions"),
                ),
                (
                    "key_warnings",
                    models.JSONField(default=list, editable=False, verbose_name="warnings"),
                ),
                (
                    "exchange_uid",
                    models.CharField(
                        blank=True, editable=False, max_length=40, verbose_name="OKX user id"
                    ),
                ),
                (
                    "position_mode",
                    models.CharField(
                        blank=True,
                        choices=[("net", "Net"), ("long_short", "Long and short")],
                        editable=False,
                        max_length=16,
                        verbose_name="position mode",
                    ),
                ),
                (
                    "verified_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="verified"),
                ),
                (
                    "equity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        editable=False,
                        help_text="USDT, as the exchange values it.",
                        max_digits=38,
                        null=True,
                        verbose_name="equity",
                    ),
                ),
                (
                    "equity_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="equity read"),
                ),
                (
                    "snapshot_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="followed since"),
                ),
                ("known_until", models.DateTimeField(editable=False, null=True)),
                ("said_at", models.DateTimeField(editable=False, null=True)),
                ("drifts", models.JSONField(default=dict, editable=False)),
                (
                    "link",
                    models.CharField(
                        choices=[
                            ("waiting", "Not connected yet"),
                            ("connected", "Connected"),
                            ("polling", "Read every few seconds"),
                            ("stale", "Stale"),
                            ("error", "Refused by the exchange"),
                        ],
                        default="waiting",
                        editable=False,
                        max_length=16,
                        verbose_name="link",
                    ),
                ),
                (
                    "link_reason",
                    models.CharField(
                        blank=True, editable=False, max_length=200, verbose_name="link reason"
                    ),
                ),
                (
                    "link_since",
                    models.DateTimeField(editable=False, null=True, verbose_name="since"),
                ),
                (
                    "heard_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last activity"),
                ),
                (
                    "read_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last reading"),
                ),
                (
                    "last_error",
                    models.CharField(
                        blank=True, editable=False, max_length=300, verbose_name="last error"
                    ),
                ),
                (
                    "last_error_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last error at"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "source",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="leader",
                        to="signals.signalsource",
                        verbose_name="source",
                    ),
                ),
            ],
            options={
                "verbose_name": "leader account",
                "verbose_name_plural": "leader accounts",
                "ordering": ("source__name",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["key_status"], name="leader_by_key_status")],
            },
        ),
        migrations.CreateModel(
            name="LeaderHolding",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "direction",
                    models.CharField(
                        choices=[("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="direction",
                    ),
                ),
                (
                    "margin_mode",
                    models.CharField(
                        choices=[("cross", "Cross"), ("isolated", "Isolated")],
                        max_length=16,
                        verbose_name="margin mode",
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="quantity"
                    ),
                ),
                (
                    "average_entry",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="average entry"
                    ),
                ),
                (
                    "leverage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="leverage"
                    ),
                ),
                (
                    "take_profit",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="take profit"
                    ),
                ),
                (
                    "stop_loss",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="stop loss"
                    ),
                ),
                ("stops_for_all", models.BooleanField(default=False, editable=False)),
                ("traded_at", models.DateTimeField(null=True, verbose_name="last traded")),
                ("updated_at", models.DateTimeField(verbose_name="changed")),
                (
                    "leader",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="holdings",
                        to="signals.leaderaccount",
                        verbose_name="leader",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "leader's holding",
                "verbose_name_plural": "leader's holdings",
                "ordering": ("inst_id", "direction", "margin_mode"),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("leader", "inst_id", "direction", "margin_mode"),
                        name="leader_holding_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LeaderTrade",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("trade_hash", models.CharField(editable=False, max_length=64)),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                ("trade_id", models.CharField(max_length=40, verbose_name="trade")),
                ("exchange_order_id", models.CharField(max_length=40, verbose_name="order")),
                ("side", models.CharField(max_length=8, verbose_name="side")),
                ("position_side", models.CharField(max_length=8, verbose_name="position side")),
                (
                    "margin_mode",
                    models.CharField(
                        blank=True,
                        choices=[("cross", "Cross"), ("isolated", "Isolated")],
                        max_length=16,
                        verbose_name="margin mode",
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="quantity"
                    ),
                ),
                (
                    "price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="price"
                    ),
                ),
                ("traded_at", models.DateTimeField(verbose_name="traded")),
                ("heard_at", models.DateTimeField(verbose_name="heard")),
                ("by_reading", models.BooleanField(default=False, verbose_name="found by reading")),
                ("is_older", models.BooleanField(default=False, verbose_name="from before")),
                (
                    "leader",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trades",
                        to="signals.leaderaccount",
                        verbose_name="leader",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "leader's trade",
                "verbose_name_plural": "leader's trades",
                "ordering": ("-traded_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["leader", "traded_at"], name="leader_trade_by_time")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("leader", "trade_hash"), name="leader_trade_once"
                    )
                ],
            },
        ),
    ]
