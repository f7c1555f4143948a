"""Every migration of this room before it, in one: the tables of a new installation as they are now."""

import accounts.fields
import django.core.validators
import django.db.models.deletion
import uuid
import uuid_utils.compat
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


# On MySQL the keys of tables to be partitioned contain the partition column (error 1503).
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
    replaces = [
        ("trading", "0001_initial"),
        ("trading", "0002_partition_keys"),
        ("trading", "0003_snapshot_grain"),
        ("trading", "0004_actions_and_protections"),
        ("trading", "0005_flatten"),
        ("trading", "0006_limit_kinds"),
        ("trading", "0007_write_token"),
        ("trading", "0008_ledger_audits"),
        ("trading", "0009_breakers_and_maintenance"),
        ("trading", "0010_settlements_by_hand"),
        ("trading", "0011_protection_waiting"),
        ("trading", "0012_one_index_per_question"),
        ("trading", "0013_prices_and_closing_cycles"),
        ("trading", "0014_leader_of_a_cycle"),
        ("trading", "0015_leader_leases"),
        ("trading", "0016_reasons_of_beginning"),
        ("trading", "0017_reasons_of_terms"),
        ("trading", "0018_repairs"),
        ("trading", "0019_kept_leverage"),
        ("trading", "0020_loss_limits_and_margin"),
        ("trading", "0021_decisions_without_foreign_keys"),
        ("trading", "0022_words_of_states_and_modes"),
        ("trading", "0023_known_peak_of_losses"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0004_two_factor"),
        ("customers", "0001_squashed_0004_used_keys"),
        ("signals", "0001_squashed_0009_stops_for_all"),
        ("strategies", "0001_squashed_0006_terms_of_following"),
    ]

    operations = [
        migrations.CreateModel(
            name="JobLease",
            fields=[
                (
                    "name",
                    models.CharField(
                        max_length=80, primary_key=True, serialize=False, verbose_name="job"
                    ),
                ),
                ("owner", models.UUIDField(null=True)),
                ("until", models.DateTimeField(null=True, verbose_name="held until")),
                ("ran_at", models.DateTimeField(null=True, verbose_name="last run")),
            ],
            options={
                "verbose_name": "job lease",
                "verbose_name_plural": "job leases",
            },
        ),
        migrations.CreateModel(
            name="LeaderLease",
            fields=[
                ("account_id", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("owner", models.UUIDField(null=True)),
                ("until", models.DateTimeField(null=True, verbose_name="held until")),
                (
                    "state",
                    models.CharField(default="connecting", max_length=16, verbose_name="socket"),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("changed_at", models.DateTimeField(null=True, verbose_name="changed")),
                ("last_event_at", models.DateTimeField(null=True, verbose_name="last news")),
            ],
            options={
                "verbose_name": "leader's socket",
                "verbose_name_plural": "leaders' sockets",
            },
        ),
        migrations.CreateModel(
            name="MarketWatch",
            fields=[
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
                        max_length=16,
                        primary_key=True,
                        serialize=False,
                        verbose_name="market",
                    ),
                ),
                ("read_at", models.DateTimeField(null=True, verbose_name="last read")),
                ("tried_at", models.DateTimeField(null=True, verbose_name="last tried")),
                ("error", models.CharField(blank=True, max_length=200, verbose_name="error")),
            ],
            options={
                "verbose_name": "status of a market",
                "verbose_name_plural": "status of markets",
            },
        ),
        migrations.CreateModel(
            name="StreamLease",
            fields=[
                ("account_id", models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                ("owner", models.UUIDField(null=True)),
                ("until", models.DateTimeField(null=True, verbose_name="held until")),
                (
                    "state",
                    models.CharField(default="connecting", max_length=16, verbose_name="socket"),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                ("changed_at", models.DateTimeField(null=True, verbose_name="changed")),
                ("last_event_at", models.DateTimeField(null=True, verbose_name="last news")),
            ],
            options={
                "verbose_name": "private socket",
                "verbose_name_plural": "private sockets",
            },
        ),
        migrations.CreateModel(
            name="ClockReading",
            fields=[
                ("key", models.CharField(max_length=200, primary_key=True, serialize=False)),
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
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                ("process", models.CharField(max_length=140, verbose_name="process")),
                ("offset_ms", models.BigIntegerField(verbose_name="offset (ms)")),
                ("is_halted", models.BooleanField(default=False, verbose_name="sends nothing")),
                ("warned_at", models.DateTimeField(null=True, verbose_name="warned")),
                ("read_at", models.DateTimeField(verbose_name="read")),
            ],
            options={
                "verbose_name": "clock",
                "verbose_name_plural": "clocks",
                "ordering": ("market", "process"),
                "indexes": [models.Index(fields=["read_at"], name="clock_recent")],
            },
        ),
        migrations.CreateModel(
            name="Cycle",
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
                ("link_uid", models.UUIDField(editable=False)),
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
                    "leader_inst_id",
                    models.CharField(max_length=40, verbose_name="leader's instrument"),
                ),
                ("is_reversed", models.BooleanField(default=False, verbose_name="reverse")),
                (
                    "unit",
                    models.CharField(
                        choices=[
                            ("contracts", "Contracts"),
                            ("percent_equity", "Percent of equity"),
                            ("pct_available", "Percent of the available balance"),
                        ],
                        max_length=16,
                        verbose_name="leader counts in",
                    ),
                ),
                (
                    "follower_base",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="follower's base"
                    ),
                ),
                (
                    "leader_base",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="leader's base"
                    ),
                ),
                (
                    "active_key",
                    models.CharField(editable=False, max_length=96, null=True, unique=True),
                ),
                ("opened_at", models.DateTimeField(verbose_name="opened")),
                (
                    "closing_at",
                    models.DateTimeField(
                        help_text="The leader closed while orders of it still waited at the exchange.",
                        null=True,
                        verbose_name="closing since",
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cycles",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="signals.signalsource",
                        verbose_name="source",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cycles",
                        to="strategies.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "cycle",
                "verbose_name_plural": "cycles",
                "ordering": ("-opened_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "opened_at"], name="cycle_of_tenant"),
                    models.Index(
                        fields=["source", "leader_inst_id", "ended_at"], name="cycle_of_leader"
                    ),
                    models.Index(
                        fields=["link_uid", "leader_inst_id", "ended_at"], name="cycle_of_follower"
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("leader_inst_id", ""), _negated=True),
                        name="cycle_of_an_instrument",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Decision",
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
                ("link_uid", models.UUIDField(editable=False)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("copied", "Copied"),
                            ("skipped", "Not copied"),
                            ("denied", "Denied"),
                        ],
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "—"),
                            ("SYMBOL_NOT_ALLOWED", "Instrument not in the strategy's list"),
                            ("CUSTOMER_DISABLED", "Customer is not active"),
                            ("ACCOUNT_DISABLED", "Account is paused"),
                            ("KEY_NOT_VERIFIED", "API key is not verified"),
                            ("LINK_PAUSED", "Subscription is paused"),
                            ("STRATEGY_PAUSED", "Strategy is paused"),
                            ("CLOSE_ONLY", "Only closes are followed"),
                            ("TRADING_HALTED", "Trading is halted"),
                            ("REDUCE_ONLY", "Only reductions are allowed"),
                            ("FLATTENING", "Everything is being closed"),
                            ("FLATTEN_OVER", "The flatten it belonged to is over"),
                            ("NOT_IN_CYCLE", "This position was not copied"),
                            ("EQUITY_UNKNOWN", "Equity is not known"),
                            ("LEADER_EQUITY_UNKNOWN", "Leader's equity or leverage is not known"),
                            ("STOP_LOSS_MISSING", "No stop loss to size by"),
                            ("ALLOCATION_FULL", "Allocated capital is used up"),
                            ("EXPOSURE_ABOVE_LIMIT", "All positions together above the limit"),
                            ("MGN_MODE_CONFLICT", "Held in the other margin mode"),
                            ("PRICE_UNKNOWN", "No fresh price"),
                            ("INSTRUMENT_UNKNOWN", "Instrument not known in this market"),
                            ("INSTRUMENT_SUSPENDED", "Instrument is not trading"),
                            ("BELOW_MIN", "Below the exchange's minimum"),
                            ("CLOSED_BELOW_MIN", "Closed: remainder below the minimum"),
                            ("ABOVE_MAX", "Above the exchange's maximum"),
                            ("ORDER_NOTIONAL_ABOVE_LIMIT", "Above the limit per order"),
                            ("POSITION_NOTIONAL_ABOVE_LIMIT", "Above the limit per position"),
                            (
                                "ORDER_QUANTITY_ABOVE_LIMIT",
                                "Above the limit of contracts per order",
                            ),
                            ("DAILY_LIMIT", "Daily limit reached"),
                            ("OPEN_POSITIONS_ABOVE_LIMIT", "Too many open positions"),
                            ("LEVERAGE_ABOVE_LIMIT", "Leverage above the limit"),
                            ("DESK_NOTIONAL_ABOVE_LIMIT", "Above the desk's limit per instrument"),
                            ("PRICE_OUTSIDE_COLLAR", "Price too far from the market"),
                            ("SPREAD_ABOVE_LIMIT", "Spread too wide for a market order"),
                            ("SIZE_OUT_OF_PROPORTION", "Size out of proportion to the leader's"),
                            ("LEGS_ABOVE_LIMIT", "Too many orders of one signal"),
                            ("DUPLICATE_SUSPECTED", "Same order as a moment ago"),
                            ("ACCOUNT_BREAKER", "Breaker of the account is open"),
                            ("LOSS_LIMIT", "Loss limit reached"),
                            ("MARGIN_LOW", "Margin too low"),
                            ("MARKET_BREAKER", "Breaker of the market is open"),
                            ("EXCHANGE_MAINTENANCE", "The exchange is in maintenance"),
                            ("CLOCK_OFF", "Our clock and the exchange's are too far apart"),
                            ("LEVERAGE_LOCKED", "Leverage could not be changed"),
                            ("POS_MODE_CONFLICT", "Open in the other direction"),
                            ("SHORT_NOT_POSSIBLE", "Spot cannot be sold short"),
                            ("LINK_CONFLICT", "Another strategy holds this instrument"),
                            ("PRICE_WORSE", "Price worse than the leader's entry"),
                            ("ENTRY_UNKNOWN", "The leader's entry is not known"),
                            ("ALREADY_AT_TARGET", "Already at the target"),
                            ("ALREADY_FLAT", "Nothing to close"),
                            ("EXPIRED", "Signal too old"),
                            ("SUPERSEDED", "Replaced by a newer signal"),
                            (
                                "FLIP_OPEN_DROPPED",
                                "Reversal not opened: the close did not finish in time",
                            ),
                            ("FLIP_CLOSE_ONLY", "Of reversals only the close is followed"),
                            ("SLIPPAGE", "Price moved too far from the leader's"),
                            ("LIMIT_MAX_ORDERS", "Too many waiting orders of this source"),
                            ("LEADER_LOST", "Connection to the leader was lost"),
                            ("SOURCE_DISABLED", "Source is switched off"),
                            ("NOTHING_PENDING", "No pending order to cancel"),
                            ("CAPPED", "Made smaller by a limit"),
                            ("INSUFFICIENT_MARGIN", "Not enough margin"),
                            ("KEY_INVALID", "API key refused by the exchange"),
                            ("IP_NOT_ALLOWED", "Address not allowed by the key"),
                            ("RATE_LIMITED", "Rate limited"),
                            ("SENDS_ABOVE_LIMIT", "Too many sends per second"),
                            ("UNKNOWN_RESULT", "Outcome unknown"),
                            ("EXCHANGE_REJECTED", "Refused by the exchange"),
                            ("EXCHANGE_CANCELED", "Canceled by the exchange"),
                            ("CANCELED_BY_SIGNAL", "Canceled by a signal"),
                            ("CANCELED_BY_STAFF", "Canceled by staff"),
                            ("UNDERFILLED", "Only partly filled"),
                            (
                                "UNDERFILLED_SLIPPAGE",
                                "Not filled further: the market was worse than the bound",
                            ),
                            ("LIMIT_TTL", "Waited for as long as it may"),
                            ("LEADER_CLOSED", "Canceled: the leader closed"),
                            ("LEADER_REDUCED", "Canceled: the leader reduced"),
                            ("LATE_FILL_CLOSED", "Closes what filled after the leader had closed"),
                            ("POISON", "Set aside after repeated failures"),
                        ],
                        max_length=40,
                        verbose_name="reason",
                    ),
                ),
                ("numbers", models.JSONField(default=dict, verbose_name="numbers used")),
                ("decided_at", models.DateTimeField(verbose_name="decided")),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "signal",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="signals.signal",
                        verbose_name="signal",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="decisions",
                        to="strategies.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "decision",
                "verbose_name_plural": "decisions",
                "ordering": ("-decided_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "decided_at"], name="decision_of_tenant"),
                    models.Index(fields=["account", "decided_at"], name="decision_of_account"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("signal", "link_uid"), name="decision_once_per_signal"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="EquitySnapshot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "grain",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Minute"),
                            (1, "Quarter of an hour"),
                            (2, "Hour"),
                            (3, "Day of the desk"),
                        ],
                        default=3,
                        editable=False,
                        verbose_name="first of its",
                    ),
                ),
                (
                    "equity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="equity"
                    ),
                ),
                (
                    "unrealized_pnl",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="unrealized PnL"
                    ),
                ),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="equity_snapshots",
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
            ],
            options={
                "verbose_name": "equity snapshot",
                "verbose_name_plural": "equity snapshots",
                "ordering": ("-at",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["account", "grain", "at"], name="equity_snapshot_curve")
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "at"), name="equity_snapshot_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="ExternalOrder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "exchange_order_id",
                    models.CharField(max_length=40, verbose_name="exchange order id"),
                ),
                (
                    "client_order_id",
                    models.CharField(blank=True, max_length=32, verbose_name="client order id"),
                ),
                (
                    "foreign_deployment",
                    models.BooleanField(default=False, verbose_name="from another Copydesk"),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "side",
                    models.CharField(
                        choices=[("buy", "Buy"), ("sell", "Sell")],
                        max_length=8,
                        verbose_name="side",
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="quantity"
                    ),
                ),
                (
                    "filled_quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="filled"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("live", "Live"),
                            ("partially_filled", "Partly filled"),
                            ("filled", "Filled"),
                            ("canceled", "Canceled"),
                            ("mmp_canceled", "Canceled by market maker protection"),
                        ],
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                ("seen_at", models.DateTimeField(verbose_name="seen")),
                (
                    "account",
                    models.ForeignKey(
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
            ],
            options={
                "verbose_name": "external order",
                "verbose_name_plural": "external orders",
                "ordering": ("-seen_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["seen_at"], name="external_order_recent")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "exchange_order_id"), name="external_order_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FlattenRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                (
                    "active_key",
                    models.CharField(editable=False, max_length=96, null=True, unique=True),
                ),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="started by",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "flatten",
                "verbose_name_plural": "flattens",
                "ordering": ("-started_at",),
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="FlattenAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "step",
                    models.CharField(
                        choices=[
                            ("canceling", "Canceling orders"),
                            ("waiting", "Waiting for orders on their way"),
                            ("reading", "Reading positions"),
                            ("closing", "Closing positions"),
                            ("verifying", "Reading once more"),
                            ("flat", "Flat"),
                            ("manual", "Needs a person"),
                        ],
                        default="canceling",
                        max_length=12,
                        verbose_name="step",
                    ),
                ),
                ("round", models.PositiveSmallIntegerField(default=0, verbose_name="round")),
                ("leg", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("flat_reads", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("failures", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("remaining", models.JSONField(default=list, verbose_name="still open")),
                ("problem", models.CharField(blank=True, max_length=300, verbose_name="problem")),
                ("history", models.JSONField(default=list, verbose_name="history")),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("not_before", models.DateTimeField(editable=False, null=True)),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("step_at", models.DateTimeField(verbose_name="since")),
                ("read_at", models.DateTimeField(null=True, verbose_name="read")),
                ("flat_at", models.DateTimeField(null=True, verbose_name="flat")),
                ("alerted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "account",
                    models.ForeignKey(
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
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="trading.flattenrun",
                        verbose_name="flatten",
                    ),
                ),
            ],
            options={
                "verbose_name": "account being flattened",
                "verbose_name_plural": "accounts being flattened",
                "ordering": ("run", "account"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["not_before"], name="flatten_due")],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "account"), name="flatten_account_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=24, verbose_name="process")),
                ("host", models.CharField(max_length=120, verbose_name="host")),
                ("pid", models.PositiveIntegerField(verbose_name="pid")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("beat_at", models.DateTimeField(verbose_name="last heard")),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
            ],
            options={
                "verbose_name": "process",
                "verbose_name_plural": "processes",
                "ordering": ("kind", "-beat_at"),
                "indexes": [models.Index(fields=["kind", "beat_at"], name="heartbeat_alive")],
            },
        ),
        migrations.CreateModel(
            name="Instrument",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                ("inst_type", models.CharField(max_length=12, verbose_name="type")),
                ("base_currency", models.CharField(blank=True, max_length=20, verbose_name="base")),
                (
                    "quote_currency",
                    models.CharField(blank=True, max_length=20, verbose_name="quote"),
                ),
                (
                    "settle_currency",
                    models.CharField(blank=True, max_length=20, verbose_name="settled in"),
                ),
                (
                    "contract_value",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("1"),
                        max_digits=38,
                        verbose_name="contract value",
                    ),
                ),
                (
                    "contract_type",
                    models.CharField(blank=True, max_length=12, verbose_name="contract type"),
                ),
                (
                    "lot_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="lot size"
                    ),
                ),
                (
                    "tick_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="tick size"
                    ),
                ),
                (
                    "min_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="minimum size"
                    ),
                ),
                (
                    "max_market_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        max_digits=38,
                        null=True,
                        verbose_name="maximum market order",
                    ),
                ),
                (
                    "max_limit_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        max_digits=38,
                        null=True,
                        verbose_name="maximum limit order",
                    ),
                ),
                (
                    "max_leverage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="maximum leverage"
                    ),
                ),
                ("state", models.CharField(max_length=16, verbose_name="state")),
                (
                    "expires_at",
                    models.DateTimeField(
                        help_text="When it ends, as the exchange has announced.",
                        null=True,
                        verbose_name="delisted",
                    ),
                ),
                ("updated_at", models.DateTimeField(verbose_name="updated")),
            ],
            options={
                "verbose_name": "instrument",
                "verbose_name_plural": "instruments",
                "ordering": ("market", "inst_id"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("market", "inst_id"), name="instrument_once_per_market"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="InstrumentVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "contract_value",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="contract value"
                    ),
                ),
                (
                    "lot_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="lot size"
                    ),
                ),
                (
                    "tick_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="tick size"
                    ),
                ),
                (
                    "min_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="minimum size"
                    ),
                ),
                (
                    "max_market_size",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        max_digits=38,
                        null=True,
                        verbose_name="maximum market order",
                    ),
                ),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("valid_until", models.DateTimeField(null=True, verbose_name="valid until")),
                (
                    "instrument",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="trading.instrument",
                        verbose_name="instrument",
                    ),
                ),
            ],
            options={
                "verbose_name": "version of an instrument",
                "verbose_name_plural": "versions of instruments",
                "ordering": ("instrument", "-valid_from"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("instrument", "valid_from"), name="instrument_version_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LedgerAudit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField(null=True, verbose_name="looked back to")),
                ("accounts", models.PositiveIntegerField(default=0, verbose_name="accounts")),
                ("orders", models.PositiveIntegerField(default=0, verbose_name="orders")),
                ("fills", models.PositiveIntegerField(default=0, verbose_name="fills")),
                ("signals", models.PositiveIntegerField(default=0, verbose_name="signals")),
                ("is_clean", models.BooleanField(verbose_name="clean")),
                ("finding_count", models.PositiveIntegerField(default=0, verbose_name="findings")),
                ("counts", models.JSONField(default=dict, verbose_name="findings by promise")),
                ("findings", models.JSONField(default=list)),
                (
                    "in_flight_count",
                    models.PositiveIntegerField(default=0, verbose_name="in flight"),
                ),
                ("in_flight", models.JSONField(default=list)),
                (
                    "unseen_count",
                    models.PositiveIntegerField(default=0, verbose_name="not to be seen"),
                ),
                ("unseen", models.JSONField(default=list)),
                (
                    "unread",
                    models.JSONField(default=list, verbose_name="accounts that could not be read"),
                ),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "account",
                    models.ForeignKey(
                        help_text="Empty when the whole desk was audited.",
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
            ],
            options={
                "verbose_name": "ledger audit",
                "verbose_name_plural": "ledger audits",
                "ordering": ("-started_at", "-pk"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant", "started_at"], name="audit_of_tenant")],
            },
        ),
        migrations.CreateModel(
            name="Limit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("system", "Whole installation"),
                            ("tenant", "Desk"),
                            ("strategy", "Strategy"),
                            ("customer", "Customer"),
                            ("account", "Exchange account"),
                            ("instrument", "Instrument"),
                        ],
                        max_length=16,
                        verbose_name="scope",
                    ),
                ),
                ("scope_key", models.CharField(editable=False, max_length=96)),
                ("inst_id", models.CharField(blank=True, max_length=40, verbose_name="instrument")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("order_notional", "Notional per order"),
                            ("daily_notional", "Notional per day"),
                            ("position_notional", "Notional per position"),
                            ("open_positions", "Open positions (count)"),
                            ("leverage", "Leverage (times)"),
                            ("order_quantity", "Contracts per order"),
                            ("desk_notional", "Notional per instrument, whole desk"),
                            ("price_collar", "Distance of a limit price from the mark (ratio)"),
                            ("stop_collar", "Distance of a stop price from the mark (ratio)"),
                            ("spread", "Spread for market orders (ratio)"),
                            ("leader_multiple", "Order size beside the leader's position (times)"),
                            ("legs", "Legs per signal (count)"),
                            ("account_sends", "Orders per second and account (count)"),
                            ("system_sends", "Orders per second, whole installation (count)"),
                        ],
                        max_length=24,
                        verbose_name="limit",
                    ),
                ),
                (
                    "value",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        max_digits=38,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="at most",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.exchangeaccount",
                        verbose_name="exchange account",
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="changed by",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="strategies.strategy",
                        verbose_name="strategy",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "limit",
                "verbose_name_plural": "limits",
                "ordering": ("scope", "kind"),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("scope_key", "kind"), name="limit_once_per_scope"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LossLimit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("tenant", "Every account of the desk"),
                            ("customer", "Every account of a customer"),
                            ("account", "Exchange account"),
                            ("strategy", "Every following of a strategy"),
                            ("subscription", "Subscription"),
                        ],
                        max_length=16,
                        verbose_name="scope",
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[
                            ("day", "Day"),
                            ("week", "Week"),
                            ("month", "Month"),
                            ("lifetime", "Lifetime"),
                        ],
                        max_length=12,
                        verbose_name="period",
                    ),
                ),
                (
                    "clock",
                    models.CharField(
                        choices=[("desk", "The desk's day"), ("utc", "UTC")],
                        default="desk",
                        max_length=8,
                        verbose_name="periods begin by",
                    ),
                ),
                (
                    "measure",
                    models.CharField(
                        choices=[
                            ("realized", "Realized loss"),
                            ("unrealized", "Unrealized loss"),
                            ("equity", "Loss of equity"),
                            ("drawdown", "Drawdown from the peak"),
                        ],
                        max_length=16,
                        verbose_name="counted",
                    ),
                ),
                (
                    "max_absolute",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT. Empty: only the part of the equity counts.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                        verbose_name="at most",
                    ),
                ),
                (
                    "max_relative",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="0.1 is a tenth of the equity at the beginning of the period.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                        verbose_name="at most, of the equity",
                    ),
                ),
                (
                    "starts_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="What was before does not count. Empty: the period's beginning, and of a lifetime from when the limit was made.",
                        null=True,
                        verbose_name="counts from",
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("hold", "Open nothing until the period ends"),
                            ("close_only", "Close only, until somebody resumes"),
                            ("stop", "Stop following"),
                        ],
                        default="hold",
                        max_length=12,
                        verbose_name="then",
                    ),
                ),
                (
                    "close_positions",
                    models.BooleanField(
                        default=False,
                        help_text="Of the followings concerned, once, when the limit is reached.",
                        verbose_name="close positions at market",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.exchangeaccount",
                        verbose_name="exchange account",
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="changed by",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="strategies.strategy",
                        verbose_name="strategy",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="strategies.subscription",
                        verbose_name="subscription",
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
                "verbose_name": "loss limit",
                "verbose_name_plural": "loss limits",
                "ordering": ("scope", "period", "pk"),
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="LossState",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(editable=False, max_length=64, unique=True)),
                ("since", models.DateTimeField(verbose_name="counted since")),
                (
                    "base",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="equity at the beginning"
                    ),
                ),
                (
                    "base_unrealized",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, editable=False, max_digits=38
                    ),
                ),
                (
                    "peak",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="peak"
                    ),
                ),
                (
                    "known_peak",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, editable=False, max_digits=38
                    ),
                ),
                (
                    "paid",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="paid in"
                    ),
                ),
                ("paid_until", models.DateTimeField(editable=False)),
                (
                    "realized",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, editable=False, max_digits=38
                    ),
                ),
                ("counted_until", models.DateTimeField(editable=False)),
                (
                    "loss",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="lost"
                    ),
                ),
                (
                    "used",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="used"
                    ),
                ),
                ("measured_at", models.DateTimeField(verbose_name="measured")),
                ("breached_at", models.DateTimeField(null=True, verbose_name="reached")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="loss_states",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "limit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="states",
                        to="trading.losslimit",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="loss_states",
                        to="strategies.subscription",
                        verbose_name="subscription",
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
                "verbose_name": "use of a loss limit",
                "verbose_name_plural": "use of loss limits",
                "ordering": ("-breached_at", "account", "pk"),
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Maintenance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                ("identity", models.CharField(editable=False, max_length=64, unique=True)),
                ("title", models.CharField(max_length=300, verbose_name="title")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("scheduled", "Announced"),
                            ("ongoing", "Going on"),
                            ("pre_open", "Opening again"),
                            ("completed", "Over"),
                            ("canceled", "Canceled"),
                            ("gone", "No longer announced"),
                        ],
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                (
                    "service_type",
                    models.CharField(blank=True, max_length=8, verbose_name="of what"),
                ),
                ("stops_trading", models.BooleanField(default=False, verbose_name="stops trading")),
                ("begins_at", models.DateTimeField(verbose_name="begins")),
                ("ends_at", models.DateTimeField(null=True, verbose_name="ends")),
                ("link", models.CharField(blank=True, max_length=300, verbose_name="link")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
            ],
            options={
                "verbose_name": "maintenance",
                "verbose_name_plural": "maintenance",
                "ordering": ("-begins_at",),
                "indexes": [models.Index(fields=["market", "state"], name="maintenance_of_market")],
            },
        ),
        migrations.CreateModel(
            name="MarginThreshold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("warn", "Low"),
                            ("critical", "Critical"),
                            ("block", "No openings"),
                        ],
                        max_length=12,
                        verbose_name="threshold",
                    ),
                ),
                (
                    "ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="As OKX counts it: at 1 (100 %) it liquidates. Empty does not count.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                        verbose_name="margin ratio",
                    ),
                ),
                (
                    "distance",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="0.1 is a tenth of the mark price. Empty does not count.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.000001"))],
                        verbose_name="distance to liquidation",
                    ),
                ),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
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
                "verbose_name": "margin threshold",
                "verbose_name_plural": "margin thresholds",
                "ordering": ("pk",),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "level"), name="margin_threshold_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MarketPrice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
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
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "last",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="last"
                    ),
                ),
                (
                    "bid",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="bid"
                    ),
                ),
                (
                    "ask",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="ask"
                    ),
                ),
                (
                    "mark",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="mark price"
                    ),
                ),
                ("ticker_at", models.DateTimeField(null=True, verbose_name="ticker time")),
                ("mark_at", models.DateTimeField(null=True, verbose_name="mark price time")),
            ],
            options={
                "verbose_name": "market price",
                "verbose_name_plural": "market prices",
                "ordering": ("market", "inst_id"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("market", "inst_id"), name="price_once_per_market"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Order",
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
                ("signal_at", models.DateTimeField(editable=False, verbose_name="signal time")),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("signal", "Signal"),
                            ("take_profit", "Take profit"),
                            ("stop_loss", "Stop loss"),
                            ("repair", "Repair"),
                            ("staff", "Closed by staff"),
                            ("external", "By hand at the exchange"),
                        ],
                        default="signal",
                        max_length=12,
                        verbose_name="cause",
                    ),
                ),
                ("link_uid", models.UUIDField(editable=False)),
                (
                    "leg",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("add", "Add"),
                            ("reduce", "Reduce"),
                            ("close", "Close"),
                        ],
                        max_length=8,
                        verbose_name="leg",
                    ),
                ),
                ("leg_number", models.PositiveSmallIntegerField(default=0)),
                ("slice_number", models.PositiveSmallIntegerField(default=0)),
                (
                    "client_order_id",
                    models.CharField(max_length=32, verbose_name="client order id"),
                ),
                (
                    "exchange_order_id",
                    models.CharField(blank=True, max_length=40, verbose_name="exchange order id"),
                ),
                ("lane_key", models.CharField(editable=False, max_length=80)),
                ("lane_at", models.DateTimeField(editable=False)),
                ("waits_for", models.UUIDField(editable=False, null=True)),
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
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "side",
                    models.CharField(
                        choices=[("buy", "Buy"), ("sell", "Sell")],
                        max_length=8,
                        verbose_name="side",
                    ),
                ),
                (
                    "position_side",
                    models.CharField(
                        choices=[("net", "Net"), ("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="position side",
                    ),
                ),
                ("reduce_only", models.BooleanField(default=False, verbose_name="reduce-only")),
                (
                    "order_type",
                    models.CharField(
                        choices=[
                            ("market", "Market"),
                            ("limit", "Limit"),
                            ("post_only", "Post-only"),
                            ("ioc", "Immediate or cancel"),
                            ("fok", "Fill or kill"),
                        ],
                        max_length=16,
                        verbose_name="type",
                    ),
                ),
                (
                    "margin_mode",
                    models.CharField(
                        choices=[("cross", "Cross"), ("isolated", "Isolated"), ("cash", "Cash")],
                        max_length=16,
                        verbose_name="margin mode",
                    ),
                ),
                (
                    "leverage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="leverage"
                    ),
                ),
                (
                    "keeps_leverage",
                    models.BooleanField(
                        default=False,
                        help_text="The account's own is kept where it is no higher than this one.",
                        verbose_name="keeps the leverage",
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        help_text="Contracts; base units on spot.",
                        max_digits=38,
                        verbose_name="quantity",
                    ),
                ),
                (
                    "price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="price"
                    ),
                ),
                (
                    "reference_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="reference price"
                    ),
                ),
                (
                    "max_slippage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        help_text="How much worse than the reference price it may get; empty where nothing is.",
                        max_digits=38,
                        null=True,
                        verbose_name="maximum slippage",
                    ),
                ),
                (
                    "notional",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="notional"
                    ),
                ),
                (
                    "leader_after",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, editable=False, max_digits=38, null=True
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
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "New"),
                            ("ready", "Ready"),
                            ("sending", "Sending"),
                            ("unknown", "Unknown"),
                            ("live", "Live"),
                            ("partially_filled", "Partly filled"),
                            ("filled", "Filled"),
                            ("canceled", "Canceled"),
                            ("rejected", "Rejected by the exchange"),
                            ("expired", "Expired before it was placed"),
                            ("denied", "Denied by us"),
                            ("manual", "Needs a person"),
                        ],
                        default="new",
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "—"),
                            ("SYMBOL_NOT_ALLOWED", "Instrument not in the strategy's list"),
                            ("CUSTOMER_DISABLED", "Customer is not active"),
                            ("ACCOUNT_DISABLED", "Account is paused"),
                            ("KEY_NOT_VERIFIED", "API key is not verified"),
                            ("LINK_PAUSED", "Subscription is paused"),
                            ("STRATEGY_PAUSED", "Strategy is paused"),
                            ("CLOSE_ONLY", "Only closes are followed"),
                            ("TRADING_HALTED", "Trading is halted"),
                            ("REDUCE_ONLY", "Only reductions are allowed"),
                            ("FLATTENING", "Everything is being closed"),
                            ("FLATTEN_OVER", "The flatten it belonged to is over"),
                            ("NOT_IN_CYCLE", "This position was not copied"),
                            ("EQUITY_UNKNOWN", "Equity is not known"),
                            ("LEADER_EQUITY_UNKNOWN", "Leader's equity or leverage is not known"),
                            ("STOP_LOSS_MISSING", "No stop loss to size by"),
                            ("ALLOCATION_FULL", "Allocated capital is used up"),
                            ("EXPOSURE_ABOVE_LIMIT", "All positions together above the limit"),
                            ("MGN_MODE_CONFLICT", "Held in the other margin mode"),
                            ("PRICE_UNKNOWN", "No fresh price"),
                            ("INSTRUMENT_UNKNOWN", "Instrument not known in this market"),
                            ("INSTRUMENT_SUSPENDED", "Instrument is not trading"),
                            ("BELOW_MIN", "Below the exchange's minimum"),
                            ("CLOSED_BELOW_MIN", "Closed: remainder below the minimum"),
                            ("ABOVE_MAX", "Above the exchange's maximum"),
                            ("ORDER_NOTIONAL_ABOVE_LIMIT", "Above the limit per order"),
                            ("POSITION_NOTIONAL_ABOVE_LIMIT", "Above the limit per position"),
                            (
                                "ORDER_QUANTITY_ABOVE_LIMIT",
                                "Above the limit of contracts per order",
                            ),
                            ("DAILY_LIMIT", "Daily limit reached"),
                            ("OPEN_POSITIONS_ABOVE_LIMIT", "Too many open positions"),
                            ("LEVERAGE_ABOVE_LIMIT", "Leverage above the limit"),
                            ("DESK_NOTIONAL_ABOVE_LIMIT", "Above the desk's limit per instrument"),
                            ("PRICE_OUTSIDE_COLLAR", "Price too far from the market"),
                            ("SPREAD_ABOVE_LIMIT", "Spread too wide for a market order"),
                            ("SIZE_OUT_OF_PROPORTION", "Size out of proportion to the leader's"),
                            ("LEGS_ABOVE_LIMIT", "Too many orders of one signal"),
                            ("DUPLICATE_SUSPECTED", "Same order as a moment ago"),
                            ("ACCOUNT_BREAKER", "Breaker of the account is open"),
                            ("LOSS_LIMIT", "Loss limit reached"),
                            ("MARGIN_LOW", "Margin too low"),
                            ("MARKET_BREAKER", "Breaker of the market is open"),
                            ("EXCHANGE_MAINTENANCE", "The exchange is in maintenance"),
                            ("CLOCK_OFF", "Our clock and the exchange's are too far apart"),
                            ("LEVERAGE_LOCKED", "Leverage could not be changed"),
                            ("POS_MODE_CONFLICT", "Open in the other direction"),
                            ("SHORT_NOT_POSSIBLE", "Spot cannot be sold short"),
                            ("LINK_CONFLICT", "Another strategy holds this instrument"),
                            ("PRICE_WORSE", "Price worse than the leader's entry"),
                            ("ENTRY_UNKNOWN", "The leader's entry is not known"),
                            ("ALREADY_AT_TARGET", "Already at the target"),
                            ("ALREADY_FLAT", "Nothing to close"),
                            ("EXPIRED", "Signal too old"),
                            ("SUPERSEDED", "Replaced by a newer signal"),
                            (
                                "FLIP_OPEN_DROPPED",
                                "Reversal not opened: the close did not finish in time",
                            ),
                            ("FLIP_CLOSE_ONLY", "Of reversals only the close is followed"),
                            ("SLIPPAGE", "Price moved too far from the leader's"),
                            ("LIMIT_MAX_ORDERS", "Too many waiting orders of this source"),
                            ("LEADER_LOST", "Connection to the leader was lost"),
                            ("SOURCE_DISABLED", "Source is switched off"),
                            ("NOTHING_PENDING", "No pending order to cancel"),
                            ("CAPPED", "Made smaller by a limit"),
                            ("INSUFFICIENT_MARGIN", "Not enough margin"),
                            ("KEY_INVALID", "API key refused by the exchange"),
                            ("IP_NOT_ALLOWED", "Address not allowed by the key"),
                            ("RATE_LIMITED", "Rate limited"),
                            ("SENDS_ABOVE_LIMIT", "Too many sends per second"),
                            ("UNKNOWN_RESULT", "Outcome unknown"),
                            ("EXCHANGE_REJECTED", "Refused by the exchange"),
                            ("EXCHANGE_CANCELED", "Canceled by the exchange"),
                            ("CANCELED_BY_SIGNAL", "Canceled by a signal"),
                            ("CANCELED_BY_STAFF", "Canceled by staff"),
                            ("UNDERFILLED", "Only partly filled"),
                            (
                                "UNDERFILLED_SLIPPAGE",
                                "Not filled further: the market was worse than the bound",
                            ),
                            ("LIMIT_TTL", "Waited for as long as it may"),
                            ("LEADER_CLOSED", "Canceled: the leader closed"),
                            ("LEADER_REDUCED", "Canceled: the leader reduced"),
                            ("LATE_FILL_CLOSED", "Closes what filled after the leader had closed"),
                            ("POISON", "Set aside after repeated failures"),
                        ],
                        max_length=40,
                        verbose_name="reason",
                    ),
                ),
                (
                    "exchange_code",
                    models.CharField(blank=True, max_length=16, verbose_name="exchange code"),
                ),
                (
                    "exchange_message",
                    models.CharField(blank=True, max_length=300, verbose_name="exchange message"),
                ),
                (
                    "filled_quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="filled"
                    ),
                ),
                (
                    "average_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="average price"
                    ),
                ),
                (
                    "fee",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="fee"
                    ),
                ),
                ("fee_currency", models.CharField(blank=True, max_length=20)),
                (
                    "realized_pnl",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="realized PnL"
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("not_found_count", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("claims", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "cancel_requested",
                    models.BooleanField(default=False, verbose_name="cancel requested"),
                ),
                (
                    "flattens",
                    models.BooleanField(
                        default=False, editable=False, verbose_name="closes for flatten"
                    ),
                ),
                ("claim_token", models.UUIDField(editable=False, null=True)),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("write_token", models.BigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("expires_at", models.DateTimeField(null=True, verbose_name="expires")),
                ("not_before", models.DateTimeField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                (
                    "exp_at_ms",
                    models.PositiveBigIntegerField(
                        null=True, verbose_name="exchange deadline (ms)"
                    ),
                ),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
                ("acked_at", models.DateTimeField(null=True, verbose_name="acknowledged")),
                ("last_not_found_at", models.DateTimeField(editable=False, null=True)),
                (
                    "exchange_updated_at",
                    models.DateTimeField(null=True, verbose_name="exchange time"),
                ),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "cycle",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="trading.cycle",
                        verbose_name="cycle",
                    ),
                ),
                (
                    "decision",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="trading.decision",
                        verbose_name="decision",
                    ),
                ),
                (
                    "signal",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="signals.signal",
                        verbose_name="signal",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orders",
                        to="strategies.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "order",
                "verbose_name_plural": "orders",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["lane_key", "lane_at"], name="order_lane"),
                    models.Index(fields=["state", "lease_until"], name="order_unfinished"),
                    models.Index(fields=["tenant", "created_at"], name="order_of_tenant"),
                    models.Index(fields=["account", "created_at"], name="order_of_account"),
                    models.Index(fields=["cycle"], name="order_of_cycle"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("signal", "link_uid", "leg_number", "slice_number", "signal_at"),
                        name="order_once_per_signal",
                    ),
                    models.UniqueConstraint(
                        fields=("account", "client_order_id", "signal_at"),
                        name="order_client_id_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("quantity", 0), _negated=True),
                        name="order_quantity_not_zero",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Fill",
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
                    "filled_at",
                    models.DateTimeField(
                        help_text="The exchange's fillTime.", verbose_name="filled"
                    ),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                ("trade_id", models.CharField(max_length=40, verbose_name="trade id")),
                (
                    "exchange_order_id",
                    models.CharField(max_length=40, verbose_name="exchange order id"),
                ),
                (
                    "side",
                    models.CharField(
                        choices=[("buy", "Buy"), ("sell", "Sell")],
                        max_length=8,
                        verbose_name="side",
                    ),
                ),
                (
                    "position_side",
                    models.CharField(
                        choices=[("net", "Net"), ("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="position side",
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
                (
                    "fee",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=0,
                        help_text="Negative is charged.",
                        max_digits=38,
                        verbose_name="fee",
                    ),
                ),
                (
                    "fee_currency",
                    models.CharField(blank=True, max_length=20, verbose_name="fee currency"),
                ),
                (
                    "realized_pnl",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="realized PnL"
                    ),
                ),
                ("liquidity", models.CharField(blank=True, max_length=8, verbose_name="liquidity")),
                ("received_at", models.DateTimeField(verbose_name="received")),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fills",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fills",
                        to="trading.order",
                        verbose_name="order",
                    ),
                ),
            ],
            options={
                "verbose_name": "fill",
                "verbose_name_plural": "fills",
                "ordering": ("-filled_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "filled_at"], name="fill_of_tenant"),
                    models.Index(fields=["order"], name="fill_of_order"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "inst_id", "trade_id", "exchange_order_id", "filled_at"),
                        name="fill_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderAttempt",
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
                ("signal_at", models.DateTimeField(editable=False)),
                ("number", models.PositiveSmallIntegerField(verbose_name="attempt")),
                (
                    "exp_at_ms",
                    models.PositiveBigIntegerField(verbose_name="exchange deadline (ms)"),
                ),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "No answer yet"),
                            ("ack", "Accepted"),
                            ("rejected", "Rejected"),
                            ("not_placed", "Not placed"),
                            ("auth", "Key refused"),
                            ("duplicate", "Id already pending"),
                            ("unknown", "Unknown"),
                        ],
                        default="pending",
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                ("http_status", models.PositiveSmallIntegerField(null=True, verbose_name="HTTP")),
                ("code", models.CharField(blank=True, max_length=16, verbose_name="code")),
                ("message", models.CharField(blank=True, max_length=300, verbose_name="message")),
                ("excerpt", models.CharField(blank=True, max_length=500, verbose_name="answer")),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="trading.order",
                        verbose_name="order",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "ordering": ("number",),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("order", "number", "signal_at"), name="attempt_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderEvent",
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
                ("signal_at", models.DateTimeField(editable=False)),
                ("at", models.DateTimeField(verbose_name="at")),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("engine", "Engine"),
                            ("rest", "REST"),
                            ("stream", "WebSocket"),
                            ("staff", "Staff"),
                        ],
                        max_length=8,
                        verbose_name="heard from",
                    ),
                ),
                (
                    "from_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("new", "New"),
                            ("ready", "Ready"),
                            ("sending", "Sending"),
                            ("unknown", "Unknown"),
                            ("live", "Live"),
                            ("partially_filled", "Partly filled"),
                            ("filled", "Filled"),
                            ("canceled", "Canceled"),
                            ("rejected", "Rejected by the exchange"),
                            ("expired", "Expired before it was placed"),
                            ("denied", "Denied by us"),
                            ("manual", "Needs a person"),
                        ],
                        max_length=20,
                        verbose_name="from",
                    ),
                ),
                (
                    "to_state",
                    models.CharField(
                        choices=[
                            ("new", "New"),
                            ("ready", "Ready"),
                            ("sending", "Sending"),
                            ("unknown", "Unknown"),
                            ("live", "Live"),
                            ("partially_filled", "Partly filled"),
                            ("filled", "Filled"),
                            ("canceled", "Canceled"),
                            ("rejected", "Rejected by the exchange"),
                            ("expired", "Expired before it was placed"),
                            ("denied", "Denied by us"),
                            ("manual", "Needs a person"),
                        ],
                        max_length=20,
                        verbose_name="to",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=300, verbose_name="note")),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="trading.order",
                        verbose_name="order",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "order event",
                "verbose_name_plural": "order events",
                "ordering": ("at", "id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["order", "at"], name="event_of_order")],
            },
        ),
        migrations.CreateModel(
            name="Position",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "position_side",
                    models.CharField(
                        choices=[("net", "Net"), ("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="position side",
                    ),
                ),
                (
                    "margin_mode",
                    models.CharField(
                        choices=[("cross", "Cross"), ("isolated", "Isolated"), ("cash", "Cash")],
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
                    "average_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="average price"
                    ),
                ),
                (
                    "mark_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="mark price"
                    ),
                ),
                (
                    "unrealized_pnl",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="unrealized PnL"
                    ),
                ),
                (
                    "leverage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="leverage"
                    ),
                ),
                (
                    "liquidation_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        max_digits=38,
                        null=True,
                        verbose_name="liquidation price",
                    ),
                ),
                (
                    "notional",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="notional"
                    ),
                ),
                (
                    "margin_ratio",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="margin ratio"
                    ),
                ),
                (
                    "exchange_updated_at",
                    models.DateTimeField(null=True, verbose_name="exchange time"),
                ),
                ("updated_at", models.DateTimeField(verbose_name="updated")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positions",
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
            ],
            options={
                "verbose_name": "position",
                "verbose_name_plural": "positions",
                "ordering": ("inst_id", "account"),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "inst_id", "position_side", "margin_mode"),
                        name="position_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MarginWatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("safe", "Safe"),
                            ("warn", "Low"),
                            ("critical", "Critical"),
                            ("block", "No openings"),
                        ],
                        default="safe",
                        max_length=12,
                        verbose_name="margin",
                    ),
                ),
                ("changed_at", models.DateTimeField(verbose_name="since")),
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
                    "position",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="margin_watch",
                        to="trading.position",
                        verbose_name="position",
                    ),
                ),
            ],
            options={
                "verbose_name": "margin of a position",
                "verbose_name_plural": "margins of positions",
                "ordering": ("-changed_at",),
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Protection",
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
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "side",
                    models.CharField(
                        choices=[("buy", "Buy"), ("sell", "Sell")],
                        max_length=8,
                        verbose_name="closes by",
                    ),
                ),
                (
                    "position_side",
                    models.CharField(
                        choices=[("net", "Net"), ("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="position side",
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
                ("link_uid", models.UUIDField(editable=False)),
                ("client_algo_id", models.CharField(max_length=32, verbose_name="our id")),
                (
                    "exchange_algo_id",
                    models.CharField(blank=True, max_length=40, verbose_name="exchange algo id"),
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
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        help_text="Contracts it closes at most.",
                        max_digits=38,
                        verbose_name="quantity",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("live", "Live"),
                            ("triggered", "Triggered"),
                            ("canceled", "Canceled"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "exchange_code",
                    models.CharField(blank=True, max_length=16, verbose_name="exchange code"),
                ),
                (
                    "triggered_by",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("signal", "Signal"),
                            ("take_profit", "Take profit"),
                            ("stop_loss", "Stop loss"),
                            ("repair", "Repair"),
                            ("staff", "Closed by staff"),
                            ("external", "By hand at the exchange"),
                        ],
                        default="",
                        max_length=12,
                        verbose_name="triggered",
                    ),
                ),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("checked_at", models.DateTimeField(null=True, verbose_name="looked up")),
                ("fitted_at", models.DateTimeField(editable=False, null=True)),
                ("finished_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="protections",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "closing_order",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trading.order",
                        verbose_name="became",
                    ),
                ),
                (
                    "cycle",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="protections",
                        to="trading.cycle",
                        verbose_name="cycle",
                    ),
                ),
                (
                    "entered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="entered by",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="protections",
                        to="trading.order",
                        verbose_name="came with",
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
                "verbose_name": "protection",
                "verbose_name_plural": "protections",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["state", "checked_at"], name="protection_due"),
                    models.Index(
                        fields=["account", "inst_id", "state"], name="protection_of_position"
                    ),
                    models.Index(fields=["tenant", "created_at"], name="protection_of_tenant"),
                    models.Index(fields=["order"], name="protection_of_order"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "client_algo_id"), name="protection_client_id_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Action",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("cancel", "Cancel the order"),
                            ("amend", "Change the order"),
                            ("protect", "Place a protection"),
                            ("move", "Move a protection"),
                            ("unprotect", "Cancel a protection"),
                        ],
                        max_length=12,
                        verbose_name="asks",
                    ),
                ),
                (
                    "open_key",
                    models.CharField(editable=False, max_length=64, null=True, unique=True),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="quantity"
                    ),
                ),
                (
                    "price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="price"
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
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("unknown", "To be looked up"),
                            ("done", "Done"),
                            ("refused", "Not done"),
                        ],
                        default="waiting",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                (
                    "result",
                    models.CharField(blank=True, max_length=300, verbose_name="what became of it"),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("not_found_count", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "exp_at_ms",
                    models.PositiveBigIntegerField(
                        null=True, verbose_name="exchange deadline (ms)"
                    ),
                ),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
                ("not_before", models.DateTimeField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "entered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="entered by",
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
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="trading.order",
                        verbose_name="order",
                    ),
                ),
                (
                    "protection",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="actions",
                        to="trading.protection",
                        verbose_name="protection",
                    ),
                ),
            ],
            options={
                "verbose_name": "action",
                "verbose_name_plural": "actions",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["state", "not_before"], name="action_due"),
                    models.Index(fields=["order"], name="action_of_order"),
                    models.Index(fields=["tenant", "created_at"], name="action_of_tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="QuarantinedReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=40, verbose_name="kind")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("excerpt", models.CharField(blank=True, max_length=500, verbose_name="excerpt")),
                ("count", models.PositiveIntegerField(default=1, verbose_name="times")),
                ("first_at", models.DateTimeField(verbose_name="first")),
                ("last_at", models.DateTimeField(verbose_name="last")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quarantined",
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
            ],
            options={
                "verbose_name": "quarantined report",
                "verbose_name_plural": "quarantined reports",
                "ordering": ("-last_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "kind", "reason"), name="quarantine_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ReconcileRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cause", models.CharField(max_length=24, verbose_name="cause")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                ("ok", models.BooleanField(default=False, verbose_name="read in full")),
                ("changes", models.PositiveIntegerField(default=0, verbose_name="corrections")),
                ("drifts", models.JSONField(default=list, verbose_name="differences")),
                (
                    "unconfirmed",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Differences that a second reading has to confirm before anything is done.",
                        verbose_name="to be looked at again",
                    ),
                ),
                ("error", models.CharField(blank=True, max_length=300, verbose_name="error")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reconcile_runs",
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
            ],
            options={
                "verbose_name": "reconcile run",
                "verbose_name_plural": "reconcile runs",
                "ordering": ("-started_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["account", "started_at"], name="run_of_account")],
            },
        ),
        migrations.CreateModel(
            name="Repair",
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
                ("inst_id", models.CharField(max_length=40, verbose_name="instrument")),
                (
                    "position_side",
                    models.CharField(
                        choices=[("net", "Net"), ("long", "Long"), ("short", "Short")],
                        max_length=8,
                        verbose_name="position side",
                    ),
                ),
                (
                    "open_key",
                    models.CharField(editable=False, max_length=96, null=True, unique=True),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("clean", "As it should be"),
                            ("in_flight", "Orders are on their way"),
                            ("explained", "Less, as it was decided"),
                            ("ledger_drift", "Our books are wrong"),
                            ("orphan", "Left over"),
                            ("over", "Too much"),
                            ("under", "Too little"),
                            ("missing", "Missing"),
                            ("wrong_side", "On the wrong side"),
                            ("foreign", "Not by us"),
                        ],
                        max_length=16,
                        verbose_name="class",
                    ),
                ),
                (
                    "exchange",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="at the exchange"
                    ),
                ),
                (
                    "ours",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="by our orders"
                    ),
                ),
                (
                    "target",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, verbose_name="target"
                    ),
                ),
                (
                    "accepted",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=0,
                        max_digits=38,
                        verbose_name="accepted as the customer's own",
                    ),
                ),
                ("evidence", models.JSONField(default=dict, verbose_name="evidence")),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("nothing", "Take note"),
                            ("close", "Close it"),
                            ("reduce", "Reduce it to the target"),
                            ("increase", "Bring it up to the target"),
                            ("follow", "Follow on from what is there"),
                            ("end", "End this following, and close what is ours"),
                        ],
                        max_length=12,
                        verbose_name="what is to be done",
                    ),
                ),
                (
                    "quantity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="contracts"
                    ),
                ),
                (
                    "worst_price",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, max_digits=38, null=True, verbose_name="at no worse than"
                    ),
                ),
                ("automatic", models.BooleanField(default=False, verbose_name="by itself")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("proposed", "Proposed"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("sent", "Sent"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("expired", "No longer needed"),
                        ],
                        default="proposed",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "result",
                    models.CharField(blank=True, max_length=300, verbose_name="what became of it"),
                ),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="found")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="repairs",
                        to="customers.exchangeaccount",
                        verbose_name="account",
                    ),
                ),
                (
                    "cycle",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="repairs",
                        to="trading.cycle",
                        verbose_name="cycle",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "signal",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="signals.signal",
                        verbose_name="signal",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="strategies.subscription",
                        verbose_name="subscription",
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
                "verbose_name": "repair",
                "verbose_name_plural": "repairs",
                "ordering": ("-created_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["state", "decided_at"], name="repair_due"),
                    models.Index(fields=["tenant", "created_at"], name="repair_of_tenant"),
                    models.Index(
                        fields=["account", "inst_id", "decided_at"], name="repair_of_holding"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Settlement",
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
                    "kind",
                    models.CharField(
                        choices=[
                            ("adopt", "Adopt the exchange's order"),
                            ("close", "Close what it may have opened"),
                        ],
                        max_length=12,
                        verbose_name="asks",
                    ),
                ),
                (
                    "exchange_order_id",
                    models.CharField(blank=True, max_length=40, verbose_name="exchange order id"),
                ),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                (
                    "open_key",
                    models.CharField(editable=False, max_length=40, null=True, unique=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("refused", "Not done")],
                        default="waiting",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                (
                    "result",
                    models.CharField(blank=True, max_length=300, verbose_name="what became of it"),
                ),
                ("failures", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("not_before", models.DateTimeField(editable=False, null=True)),
                ("asked_at", models.DateTimeField(verbose_name="asked")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked by",
                    ),
                ),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="settlements",
                        to="trading.order",
                        verbose_name="order",
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
                "verbose_name": "settlement by hand",
                "verbose_name_plural": "settlements by hand",
                "ordering": ("-asked_at", "-id"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["state", "not_before"], name="settlement_due"),
                    models.Index(fields=["order"], name="settlement_of_order"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TradingState",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("system", "Whole installation"),
                            ("tenant", "Desk"),
                            ("strategy", "Strategy"),
                            ("customer", "Customer"),
                            ("account", "Exchange account"),
                            ("instrument", "Instrument"),
                        ],
                        max_length=16,
                        verbose_name="scope",
                    ),
                ),
                ("scope_key", models.CharField(editable=False, max_length=96)),
                ("inst_id", models.CharField(blank=True, max_length=40, verbose_name="instrument")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("reduce_only", "Reduce only"),
                            ("halted", "Halted"),
                            ("flatten", "Flatten"),
                        ],
                        default="active",
                        max_length=16,
                        verbose_name="trading",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "account",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.exchangeaccount",
                        verbose_name="exchange account",
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="changed by",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="customers.customer",
                        verbose_name="customer",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="strategies.strategy",
                        verbose_name="strategy",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "trading state",
                "verbose_name_plural": "trading states",
                "ordering": ("scope", "scope_key"),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("scope_key",), name="trading_state_once_per_scope"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="flattenrun",
            name="state",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="runs",
                to="trading.tradingstate",
                verbose_name="switch",
            ),
        ),
        migrations.CreateModel(
            name="ActionAttempt",
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
                ("number", models.PositiveSmallIntegerField(verbose_name="attempt")),
                (
                    "exp_at_ms",
                    models.PositiveBigIntegerField(
                        null=True, verbose_name="exchange deadline (ms)"
                    ),
                ),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("pending", "No answer yet"),
                            ("ack", "Accepted"),
                            ("rejected", "Rejected"),
                            ("not_placed", "Not placed"),
                            ("auth", "Key refused"),
                            ("duplicate", "Id already pending"),
                            ("unknown", "Unknown"),
                        ],
                        default="pending",
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                ("http_status", models.PositiveSmallIntegerField(null=True, verbose_name="HTTP")),
                ("code", models.CharField(blank=True, max_length=16, verbose_name="code")),
                ("message", models.CharField(blank=True, max_length=300, verbose_name="message")),
                ("excerpt", models.CharField(blank=True, max_length=500, verbose_name="answer")),
                (
                    "action",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="trading.action",
                        verbose_name="action",
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
                "verbose_name": "attempt of an action",
                "verbose_name_plural": "attempts of actions",
                "ordering": ("number",),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("action", "number"), name="action_attempt_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Balance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("currency", models.CharField(max_length=20, verbose_name="currency")),
                (
                    "equity",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="equity"
                    ),
                ),
                (
                    "cash",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="cash"
                    ),
                ),
                (
                    "available",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="available"
                    ),
                ),
                (
                    "frozen",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="frozen"
                    ),
                ),
                (
                    "unrealized_pnl",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18, default=0, max_digits=38, verbose_name="unrealized PnL"
                    ),
                ),
                (
                    "exchange_updated_at",
                    models.DateTimeField(null=True, verbose_name="exchange time"),
                ),
                ("updated_at", models.DateTimeField(verbose_name="updated")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="balances",
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
            ],
            options={
                "verbose_name": "balance",
                "verbose_name_plural": "balances",
                "ordering": ("account", "currency"),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(fields=("account", "currency"), name="balance_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Breaker",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(editable=False, max_length=96, unique=True)),
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
                        max_length=16,
                        verbose_name="market",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("rejects", "Orders refused in a row"),
                            ("unresolved", "Several orders with an unknown outcome"),
                            ("unknown_sends", "Too many sends without an answer"),
                            ("doubles", "Orders found twice on several accounts"),
                            ("maintenance", "The exchange is in maintenance"),
                            ("loss_limit", "A loss limit is reached"),
                            ("margin_low", "The margin is low"),
                        ],
                        max_length=16,
                        verbose_name="cause",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("closed", "Closed"), ("open", "Open"), ("half_open", "Trying")],
                        default="closed",
                        max_length=12,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=300, verbose_name="reason")),
                (
                    "failed_probes",
                    models.PositiveSmallIntegerField(default=0, verbose_name="failed tries"),
                ),
                (
                    "times_opened",
                    models.PositiveIntegerField(default=0, verbose_name="times opened"),
                ),
                ("opened_at", models.DateTimeField(null=True, verbose_name="opened")),
                ("probe_at", models.DateTimeField(null=True, verbose_name="next try")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="closed")),
                (
                    "account",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="breakers",
                        to="customers.exchangeaccount",
                        verbose_name="exchange account",
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="closed by",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        help_text="Only this following of the account is stopped.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="breakers",
                        to="strategies.subscription",
                        verbose_name="subscription",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "breaker",
                "verbose_name_plural": "breakers",
                "ordering": ("-opened_at",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["state", "probe_at"], name="breaker_open")],
            },
        ),
        migrations.RunPython(widen, narrow, atomic=False),
    ]
