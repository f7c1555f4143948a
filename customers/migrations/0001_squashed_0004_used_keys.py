"""Every migration of this room before it, in one: the tables of a new installation as they are now."""

import accounts.fields
import django.core.validators
import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("customers", "0001_initial"),
        ("customers", "0002_paper_accounts"),
        ("customers", "0003_shadow_accounts"),
        ("customers", "0004_used_keys"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0004_two_factor"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsedKey",
            fields=[
                ("fingerprint", models.CharField(max_length=64, primary_key=True, serialize=False)),
            ],
            options={
                "verbose_name": "used key",
                "verbose_name_plural": "used keys",
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                ("phone", models.CharField(blank=True, max_length=40, verbose_name="phone")),
                ("notes", models.TextField(blank=True, verbose_name="notes")),
                (
                    "initial_balance",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT. Taken from the first reading of the accounts when left empty.",
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(0)],
                        verbose_name="initial balance",
                    ),
                ),
                (
                    "max_leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="maximum leverage",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("inactive", "Inactive"),
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
                    "portal_user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="portal user",
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
                "verbose_name": "customer",
                "verbose_name_plural": "customers",
                "ordering": ("name",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant", "status"], name="customer_by_status")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "name"), name="customer_name_per_tenant"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ExchangeAccount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("label", models.CharField(default="main", max_length=80, verbose_name="label")),
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
                    "api_host",
                    models.CharField(
                        blank=True,
                        help_text="Only when OKX gave this account a host of its own.",
                        max_length=120,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A(?:[a-z0-9-]+\\.)+okx\\.com\\Z", "A host of okx.com."
                            )
                        ],
                        verbose_name="API host",
                    ),
                ),
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
                    "account_level",
                    models.CharField(
                        blank=True, editable=False, max_length=4, verbose_name="account level"
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
                ("paper_balances", models.JSONField(blank=True, default=dict, editable=False)),
                (
                    "is_shadow",
                    models.BooleanField(default=False, editable=False, verbose_name="shadow"),
                ),
                ("books_since", models.DateTimeField(editable=False, null=True)),
                (
                    "initial_balance",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT. Taken from the exchange at the first check when left empty.",
                        max_digits=38,
                        null=True,
                        verbose_name="initial balance",
                    ),
                ),
                (
                    "max_leverage",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        max_digits=38,
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="maximum leverage",
                    ),
                ),
                (
                    "max_order_notional",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT",
                        max_digits=38,
                        null=True,
                        verbose_name="limit per order",
                    ),
                ),
                (
                    "max_daily_notional",
                    accounts.fields.ExactDecimalField(
                        blank=True,
                        decimal_places=18,
                        help_text="USDT",
                        max_digits=38,
                        null=True,
                        verbose_name="limit per day",
                    ),
                ),
                (
                    "max_open_positions",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="open positions at most"
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
                (
                    "paused_reason",
                    models.CharField(blank=True, max_length=300, verbose_name="paused because"),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="accounts",
                        to="customers.customer",
                        verbose_name="customer",
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
                "verbose_name": "exchange account",
                "verbose_name_plural": "exchange accounts",
                "ordering": ("customer__name", "label"),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(
                        fields=["tenant", "key_status", "status"], name="account_by_key_status"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("customer", "label"), name="account_label_per_customer"
                    )
                ],
            },
        ),
    ]
