"""Every migration of this room before it, in one: the tables of a new installation as they are now."""

import accounts.fields
import django.core.validators
import django.db.models.deletion
import uuid
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("strategies", "0001_initial"),
        ("strategies", "0002_refuse_repeats"),
        ("strategies", "0003_beginning_and_ending"),
        ("strategies", "0004_prices_and_limit_copying"),
        ("strategies", "0005_protection_ratios"),
        ("strategies", "0006_terms_of_following"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0004_two_factor"),
        ("customers", "0001_squashed_0004_used_keys"),
        ("signals", "0001_squashed_0009_stops_for_all"),
    ]

    operations = [
        migrations.CreateModel(
            name="Strategy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "take_profit_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="0.1 is 10 %. Empty: none.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="take profit at",
                    ),
                ),
                (
                    "stop_loss_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="0.05 is 5 %. Empty: none.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="stop loss at",
                    ),
                ),
                (
                    "protection_basis",
                    models.CharField(
                        choices=[("price", "The price"), ("margin", "The margin (return)")],
                        default="price",
                        help_text="Of the margin, a ratio divided by the leverage is the move of the price.",
                        max_length=8,
                        verbose_name="ratios are of",
                    ),
                ),
                (
                    "mirror_protection",
                    models.BooleanField(
                        default=True,
                        help_text="Take profits and stop losses of the signal itself. With ratios as well, whichever price is reached first counts.",
                        verbose_name="take over the leader's",
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=80, verbose_name="name")),
                (
                    "instruments",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="OKX instrument ids. Empty means all.",
                        verbose_name="instruments",
                    ),
                ),
                (
                    "denied_instruments",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="OKX instrument ids that are left out, whatever else is allowed.",
                        verbose_name="never traded",
                    ),
                ),
                (
                    "instrument_terms",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What holds for one of the leader's instruments instead.",
                        verbose_name="terms by instrument",
                    ),
                ),
                (
                    "reverse",
                    models.BooleanField(
                        default=False,
                        help_text="Sell what the leader buys, and the other way round. Take profit and stop loss change places.",
                        verbose_name="reverse",
                    ),
                ),
                (
                    "sizing_mode",
                    models.CharField(
                        choices=[
                            ("FIXED_RATIO", "Fixed ratio of the leader's quantity"),
                            ("EQUITY_PROPORTIONAL", "In proportion to equity"),
                            ("MARGIN_PROPORTIONAL", "In proportion to margin used"),
                            ("FIXED_NOTIONAL", "Fixed notional per opening"),
                            ("FIXED_MARGIN", "Fixed margin per opening"),
                            ("FIXED_QTY", "Fixed quantity per opening"),
                            ("PCT_AVAILABLE", "Share of the available balance"),
                            ("FIXED_RISK", "Fixed risk up to the stop loss"),
                        ],
                        default="FIXED_RATIO",
                        max_length=32,
                        verbose_name="sizing",
                    ),
                ),
                (
                    "follow_ratio",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("0.1"),
                        help_text="0.1 follows a tenth of the leader's quantity.",
                        max_digits=38,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="follow ratio",
                    ),
                ),
                (
                    "equity_multiplier",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("1"),
                        help_text="For sizing in proportion to equity. 1 takes the same share as the leader.",
                        max_digits=38,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="equity multiplier",
                    ),
                ),
                (
                    "fixed_notional",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT, for fixed notional sizing.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="notional per opening",
                    ),
                ),
                (
                    "fixed_margin",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT, for fixed margin sizing. Times leverage, it is the notional.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="margin per opening",
                    ),
                ),
                (
                    "fixed_quantity",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Contracts, on spot coins, for fixed quantity sizing.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("1E-8"))],
                        verbose_name="quantity per opening",
                    ),
                ),
                (
                    "available_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="0.05 puts up a twentieth of what is available as margin.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="share of the available balance",
                    ),
                ),
                (
                    "risk_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="0.01 loses a hundredth of the equity at the stop loss. Openings without one are not copied.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="risk per opening",
                    ),
                ),
                (
                    "per_signal",
                    models.BooleanField(
                        default=False,
                        help_text="For fixed amounts: each addition of the leader buys the amount once more. Otherwise additions follow the leader's position in proportion.",
                        verbose_name="the amount again for each addition",
                    ),
                ),
                (
                    "allocated_capital",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT of each follower. No more than this counts as its equity, and the margin of all positions copied by this strategy stays within it. Empty means all.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="allocated capital",
                    ),
                ),
                (
                    "max_account_leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="All positions of an account together, as a multiple of its equity. Empty means any.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="maximum exposure",
                    ),
                ),
                (
                    "min_size_policy",
                    models.CharField(
                        choices=[("skip", "Skip"), ("round_up", "Round up to the minimum")],
                        default="skip",
                        max_length=16,
                        verbose_name="below the minimum",
                    ),
                ),
                (
                    "round_up_floor",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("0.5"),
                        help_text="0.5 rounds up what is at least half of the exchange's minimum.",
                        max_digits=38,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.01")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="round up from",
                    ),
                ),
                (
                    "over_max_policy",
                    models.CharField(
                        choices=[("scale_down", "Make smaller"), ("skip", "Skip")],
                        default="scale_down",
                        max_length=16,
                        verbose_name="above the maximum",
                    ),
                ),
                (
                    "margin_mode",
                    models.CharField(
                        choices=[
                            ("cross", "Cross"),
                            ("isolated", "Isolated"),
                            ("copy", "As the leader"),
                        ],
                        default="cross",
                        max_length=16,
                        verbose_name="margin mode",
                    ),
                ),
                (
                    "leverage_mode",
                    models.CharField(
                        choices=[
                            ("follow", "As the leader"),
                            ("fixed", "Fixed"),
                            ("keep", "As the account is set"),
                        ],
                        default="follow",
                        max_length=16,
                        verbose_name="leverage",
                    ),
                ),
                (
                    "leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Times, for a fixed leverage. The maximum below still holds.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("1"))],
                        verbose_name="fixed at",
                    ),
                ),
                (
                    "max_leverage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("1"),
                        max_digits=38,
                        validators=[django.core.validators.MinValueValidator(Decimal("1"))],
                        verbose_name="maximum leverage",
                    ),
                ),
                (
                    "max_age_seconds",
                    models.PositiveIntegerField(
                        default=60,
                        help_text="Seconds after the signal's time. Closes never expire.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600),
                        ],
                        verbose_name="opens expire after",
                    ),
                ),
                (
                    "open_orders",
                    models.CharField(
                        choices=[
                            ("ioc", "At the bound, at once or not at all"),
                            ("market", "At the market"),
                            ("limit", "Limit copying, at a discount"),
                        ],
                        default="ioc",
                        max_length=16,
                        verbose_name="openings are sent",
                    ),
                ),
                (
                    "max_slippage",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("0.005"),
                        help_text="0.005 refuses an opening whose price is more than 0.5 % worse than the leader's. Closes are never refused.",
                        max_digits=38,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("0.5")),
                        ],
                        verbose_name="maximum slippage",
                    ),
                ),
                (
                    "flip_policy",
                    models.CharField(
                        choices=[
                            ("follow", "Close and open the other way"),
                            ("close_only", "Close only"),
                        ],
                        default="follow",
                        max_length=16,
                        verbose_name="reversals",
                    ),
                ),
                (
                    "discount_min",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("0.01"),
                        help_text="0.01 to 0.04: so much below the leader's price, of a short above it.",
                        max_digits=38,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.01")),
                            django.core.validators.MaxValueValidator(Decimal("0.04")),
                        ],
                        verbose_name="nearest discount",
                    ),
                ),
                (
                    "discount_max",
                    accounts.fields.ExactDecimalField(
                        decimal_places=18,
                        default=Decimal("0.04"),
                        max_digits=38,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.01")),
                            django.core.validators.MaxValueValidator(Decimal("0.04")),
                        ],
                        verbose_name="farthest discount",
                    ),
                ),
                (
                    "rungs",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="Spread evenly from the nearest to the farthest discount.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(20),
                        ],
                        verbose_name="orders per signal",
                    ),
                ),
                (
                    "max_orders",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="Of one customer and source. What is beyond is not placed.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(20),
                        ],
                        verbose_name="most waiting orders",
                    ),
                ),
                (
                    "post_only",
                    models.BooleanField(
                        default=False,
                        help_text="An order that would trade at once is canceled.",
                        verbose_name="post-only",
                    ),
                ),
                (
                    "ttl_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        help_text="Hours.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(720),
                        ],
                        verbose_name="waiting orders end after",
                    ),
                ),
                (
                    "refuse_repeats",
                    models.BooleanField(
                        default=False,
                        help_text="Refuse an opening of the same size on the same side within two seconds of another signal's. Leave it off where fast additions are meant.",
                        verbose_name="refuse repeats",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("archived", "Archived"),
                        ],
                        default="active",
                        max_length=16,
                        verbose_name="status",
                    ),
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
            ],
            options={
                "verbose_name": "strategy",
                "verbose_name_plural": "strategies",
                "ordering": ("name",),
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="StrategySource",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="strategy_links",
                        to="signals.signalsource",
                        verbose_name="source",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="source_links",
                        to="strategies.strategy",
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
                "verbose_name": "source of a strategy",
                "verbose_name_plural": "sources of strategies",
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("strategy", "source"), name="strategy_source_once"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="strategy",
            name="sources",
            field=models.ManyToManyField(
                related_name="strategies",
                through="strategies.StrategySource",
                to="signals.signalsource",
                verbose_name="sources",
            ),
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "take_profit_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's, 0 is none.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="take profit at",
                    ),
                ),
                (
                    "stop_loss_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's, 0 is none.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="stop loss at",
                    ),
                ),
                (
                    "protection_basis",
                    models.CharField(
                        blank=True,
                        choices=[("price", "The price"), ("margin", "The margin (return)")],
                        default="",
                        help_text="Empty takes the strategy's.",
                        max_length=8,
                        verbose_name="ratios are of",
                    ),
                ),
                (
                    "mirror_protection",
                    models.BooleanField(
                        blank=True,
                        help_text="Empty takes the strategy's.",
                        null=True,
                        verbose_name="take over the leader's",
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "sizing_mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("FIXED_RATIO", "Fixed ratio of the leader's quantity"),
                            ("EQUITY_PROPORTIONAL", "In proportion to equity"),
                            ("MARGIN_PROPORTIONAL", "In proportion to margin used"),
                            ("FIXED_NOTIONAL", "Fixed notional per opening"),
                            ("FIXED_MARGIN", "Fixed margin per opening"),
                            ("FIXED_QTY", "Fixed quantity per opening"),
                            ("PCT_AVAILABLE", "Share of the available balance"),
                            ("FIXED_RISK", "Fixed risk up to the stop loss"),
                        ],
                        help_text="Empty takes the strategy's.",
                        max_length=32,
                        verbose_name="sizing",
                    ),
                ),
                (
                    "follow_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="follow ratio",
                    ),
                ),
                (
                    "equity_multiplier",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("100")),
                        ],
                        verbose_name="equity multiplier",
                    ),
                ),
                (
                    "fixed_notional",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="notional per opening",
                    ),
                ),
                (
                    "fixed_margin",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="margin per opening",
                    ),
                ),
                (
                    "fixed_quantity",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("1E-8"))],
                        verbose_name="quantity per opening",
                    ),
                ),
                (
                    "available_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="share of the available balance",
                    ),
                ),
                (
                    "risk_ratio",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("1")),
                        ],
                        verbose_name="risk per opening",
                    ),
                ),
                (
                    "allocated_capital",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT. The smaller of this and the strategy's counts.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="allocated capital",
                    ),
                ),
                (
                    "max_account_leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Times the equity. The smaller of this and the strategy's counts.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("0.01"))],
                        verbose_name="maximum exposure",
                    ),
                ),
                (
                    "min_size_policy",
                    models.CharField(
                        blank=True,
                        choices=[("skip", "Skip"), ("round_up", "Round up to the minimum")],
                        help_text="Empty takes the strategy's.",
                        max_length=16,
                        verbose_name="below the minimum",
                    ),
                ),
                (
                    "over_max_policy",
                    models.CharField(
                        blank=True,
                        choices=[("scale_down", "Make smaller"), ("skip", "Skip")],
                        help_text="Empty takes the strategy's.",
                        max_length=16,
                        verbose_name="above the maximum",
                    ),
                ),
                (
                    "margin_mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("cross", "Cross"),
                            ("isolated", "Isolated"),
                            ("copy", "As the leader"),
                        ],
                        help_text="Empty takes the strategy's.",
                        max_length=16,
                        verbose_name="margin mode",
                    ),
                ),
                (
                    "leverage_mode",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("follow", "As the leader"),
                            ("fixed", "Fixed"),
                            ("keep", "As the account is set"),
                        ],
                        help_text="Empty takes the strategy's.",
                        max_length=16,
                        verbose_name="leverage",
                    ),
                ),
                (
                    "leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("1"))],
                        verbose_name="fixed at",
                    ),
                ),
                (
                    "max_leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="The smaller of this and the strategy's counts.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(Decimal("1"))],
                        verbose_name="maximum leverage",
                    ),
                ),
                (
                    "reverse",
                    models.BooleanField(
                        blank=True,
                        choices=[(True, "Yes"), (False, "No")],
                        help_text="Empty takes the strategy's.",
                        null=True,
                        verbose_name="reverse",
                    ),
                ),
                (
                    "denied_instruments",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="OKX instrument ids that this account leaves out besides the strategy's.",
                        verbose_name="never traded",
                    ),
                ),
                (
                    "instrument_terms",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="What holds for one of the leader's instruments instead.",
                        verbose_name="terms by instrument",
                    ),
                ),
                (
                    "copy_existing",
                    models.CharField(
                        choices=[
                            ("no", "Not copied"),
                            (
                                "if_price_better",
                                "Copied where the price is no worse than the leader's",
                            ),
                            ("always", "Copied"),
                        ],
                        default="no",
                        help_text="What becomes of what the leader holds when the following begins.",
                        max_length=16,
                        verbose_name="positions of before",
                    ),
                ),
                (
                    "is_shadow",
                    models.BooleanField(default=False, editable=False, verbose_name="shadow"),
                ),
                (
                    "max_slippage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="Empty takes the strategy's.",
                        max_digits=38,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(Decimal("0.0001")),
                            django.core.validators.MaxValueValidator(Decimal("0.5")),
                        ],
                        verbose_name="maximum slippage",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("close_only", "Close only"),
                            ("stopped", "Stopped"),
                        ],
                        default="active",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "ending",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("copy_close", "Follow the leader's closes until flat"),
                            ("market_close", "Close at market now"),
                            ("manual_close", "Leave the positions to a person"),
                        ],
                        editable=False,
                        max_length=16,
                        verbose_name="stopped by",
                    ),
                ),
                (
                    "ending_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="stopped since"),
                ),
                (
                    "started_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="follows since"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="customers.exchangeaccount",
                        verbose_name="exchange account",
                    ),
                ),
                (
                    "shadow_of",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="shadows",
                        to="strategies.subscription",
                        verbose_name="shadow of",
                    ),
                ),
                (
                    "strategy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="subscriptions",
                        to="strategies.strategy",
                        verbose_name="strategy",
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
                "verbose_name": "subscription",
                "verbose_name_plural": "subscriptions",
                "ordering": ("strategy__name", "account__customer__name"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "status"], name="subscription_by_status")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("strategy", "account"), name="subscription_once"
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="strategy",
            constraint=models.UniqueConstraint(
                fields=("tenant", "name"), name="strategy_name_per_tenant"
            ),
        ),
    ]
