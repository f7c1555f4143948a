"""Every migration of this room before it, in one: the tables of a new installation as they are now."""

import accounts.fields
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("notifications", "0001_initial"),
        ("notifications", "0002_live"),
        ("notifications", "0003_notification_names"),
    ]

    initial = True

    dependencies = [
        ("accounts", "0001_squashed_0004_two_factor"),
    ]

    operations = [
        migrations.CreateModel(
            name="Destination",
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
                            ("email", "E-mail"),
                            ("dingtalk", "DingTalk robot"),
                            ("wecom", "WeCom robot"),
                        ],
                        max_length=16,
                        verbose_name="kind",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=[("en", "English"), ("zh-hans", "简体中文")],
                        default="en",
                        max_length=16,
                        verbose_name="language",
                    ),
                ),
                (
                    "recipients",
                    models.JSONField(blank=True, default=list, verbose_name="recipients"),
                ),
                ("sender", models.EmailField(blank=True, max_length=254, verbose_name="from")),
                (
                    "smtp_host",
                    models.CharField(blank=True, max_length=253, verbose_name="SMTP server"),
                ),
                ("smtp_port", models.PositiveIntegerField(default=587, verbose_name="SMTP port")),
                (
                    "smtp_security",
                    models.CharField(
                        choices=[("starttls", "STARTTLS"), ("tls", "TLS from the start")],
                        default="starttls",
                        max_length=16,
                        verbose_name="encryption",
                    ),
                ),
                (
                    "smtp_user",
                    models.CharField(blank=True, max_length=200, verbose_name="SMTP user"),
                ),
                (
                    "smtp_password",
                    accounts.fields.EncryptedTextField(blank=True, verbose_name="SMTP password"),
                ),
                (
                    "robot_token",
                    accounts.fields.EncryptedTextField(blank=True, verbose_name="robot token"),
                ),
                (
                    "signing_secret",
                    accounts.fields.EncryptedTextField(blank=True, verbose_name="signing secret"),
                ),
                (
                    "token_last4",
                    models.CharField(
                        blank=True, editable=False, max_length=4, verbose_name="token ends in"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("enabled", "Enabled"),
                            ("paused", "Paused"),
                            ("failing", "Failing"),
                        ],
                        default="enabled",
                        max_length=16,
                        verbose_name="status",
                    ),
                ),
                (
                    "status_reason",
                    models.CharField(blank=True, max_length=300, verbose_name="reason"),
                ),
                (
                    "status_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="since"),
                ),
                (
                    "listens_from",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="told from"
                    ),
                ),
                (
                    "not_before",
                    models.DateTimeField(editable=False, null=True, verbose_name="waits until"),
                ),
                ("claim_token", models.UUIDField(editable=False, null=True)),
                ("claim_until", models.DateTimeField(editable=False, null=True)),
                (
                    "last_sent_at",
                    models.DateTimeField(editable=False, null=True, verbose_name="last sent"),
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
                "verbose_name": "destination",
                "verbose_name_plural": "destinations",
                "ordering": ("name",),
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "name"), name="destination_name_per_tenant"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LiveEvent",
            fields=[
                (
                    "id",
                    accounts.fields.UUID7Field(editable=False, primary_key=True, serialize=False),
                ),
                ("audience", models.CharField(max_length=40, verbose_name="audience")),
                (
                    "stream",
                    models.CharField(
                        choices=[
                            ("signals", "Signals"),
                            ("orders", "Orders"),
                            ("positions", "Positions"),
                            ("equity", "Equity"),
                            ("attention", "Needs attention"),
                        ],
                        max_length=16,
                        verbose_name="stream",
                    ),
                ),
                ("seq", models.BigIntegerField(verbose_name="number")),
                ("kind", models.CharField(max_length=16, verbose_name="kind")),
                (
                    "object_id",
                    models.CharField(blank=True, max_length=40, verbose_name="object id"),
                ),
                ("at", models.DateTimeField(verbose_name="at")),
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
                "verbose_name": "live event",
                "verbose_name_plural": "live events",
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [models.Index(fields=["tenant", "at"], name="live_event_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "audience", "stream", "seq"), name="live_event_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LiveStream",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("audience", models.CharField(max_length=40, verbose_name="audience")),
                (
                    "stream",
                    models.CharField(
                        choices=[
                            ("signals", "Signals"),
                            ("orders", "Orders"),
                            ("positions", "Positions"),
                            ("equity", "Equity"),
                            ("attention", "Needs attention"),
                        ],
                        max_length=16,
                        verbose_name="stream",
                    ),
                ),
                ("last_seq", models.BigIntegerField(default=0, verbose_name="last number")),
                ("heard_at", models.DateTimeField(verbose_name="last listened to")),
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
                "verbose_name": "live stream",
                "verbose_name_plural": "live streams",
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "audience", "stream"), name="live_stream_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    accounts.fields.UUID7Field(editable=False, primary_key=True, serialize=False),
                ),
                ("dedup_key", models.CharField(editable=False, max_length=64, unique=True)),
                ("kind", models.CharField(max_length=100, verbose_name="kind")),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("info", "Info"),
                            ("notice", "Notice"),
                            ("warning", "Warning"),
                            ("critical", "Critical"),
                        ],
                        max_length=16,
                        verbose_name="level",
                    ),
                ),
                ("weight", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("params", models.JSONField(default=dict, verbose_name="about")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Waiting"),
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("failed", "Failed, will be tried again"),
                            ("given_up", "Given up"),
                            ("unknown", "Outcome unknown"),
                            ("combined", "Told in a combined message"),
                            ("dropped", "Dropped"),
                        ],
                        default="pending",
                        max_length=16,
                        verbose_name="state",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                (
                    "not_before",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="not before"
                    ),
                ),
                ("recipients_left", models.JSONField(default=list, editable=False)),
                (
                    "last_error",
                    models.CharField(blank=True, max_length=300, verbose_name="last error"),
                ),
                ("claim_token", models.UUIDField(editable=False, null=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, verbose_name="created"),
                ),
                ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
                (
                    "combined_into",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="combined",
                        to="notifications.notification",
                        verbose_name="told in",
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notifications",
                        to="notifications.destination",
                        verbose_name="destination",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.auditentry",
                        verbose_name="diary entry",
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
                "verbose_name": "notification",
                "verbose_name_plural": "notifications",
                "ordering": ("-id",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["state", "not_before"], name="notification_due"),
                    models.Index(
                        fields=["destination", "state", "not_before"],
                        name="notification_of_destination",
                    ),
                    models.Index(fields=["tenant", "created_at"], name="notification_of_tenant"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeliveryAttempt",
            fields=[
                (
                    "id",
                    accounts.fields.UUID7Field(editable=False, primary_key=True, serialize=False),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="at")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("sent", "Taken"),
                            ("refused_now", "Refused for now"),
                            ("refused", "Refused"),
                            ("not_sent", "Not reached"),
                            ("unknown", "No answer"),
                        ],
                        max_length=16,
                        verbose_name="outcome",
                    ),
                ),
                ("code", models.CharField(blank=True, max_length=40, verbose_name="code")),
                ("words", models.CharField(blank=True, max_length=300, verbose_name="answer")),
                (
                    "duration_ms",
                    models.PositiveIntegerField(default=0, verbose_name="milliseconds"),
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
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="log",
                        to="notifications.destination",
                        verbose_name="destination",
                    ),
                ),
                (
                    "notification",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="log",
                        to="notifications.notification",
                        verbose_name="notification",
                    ),
                ),
            ],
            options={
                "verbose_name": "delivery attempt",
                "verbose_name_plural": "delivery log",
                "ordering": ("-id",),
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["destination", "at"], name="attempt_of_destination")
                ],
            },
        ),
        migrations.CreateModel(
            name="NotificationRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "minimum_level",
                    models.CharField(
                        choices=[
                            ("info", "Info"),
                            ("notice", "Notice"),
                            ("warning", "Warning"),
                            ("critical", "Critical"),
                        ],
                        default="warning",
                        max_length=16,
                        verbose_name="from level",
                    ),
                ),
                ("kinds", models.JSONField(blank=True, default=list, verbose_name="kinds")),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="created"
                    ),
                ),
                (
                    "destination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rules",
                        to="notifications.destination",
                        verbose_name="destination",
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
                "verbose_name": "rule",
                "verbose_name_plural": "rules",
                "ordering": ("pk",),
                "abstract": False,
                "base_manager_name": "objects",
            },
        ),
    ]
