"""Who staff are to an identity provider; webhooks, their deliveries and attempts."""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField

from domain.access import Role
from domain.db.fields import Document, Index, Instant, Reference, choice
from domain.db.schema import CreateTable, MakeIndex, SecureRows
from domain.webhooks.models import AttemptError, DeliveryState, DisabledReason

TABLES = ("webhooks", "webhook_deliveries", "webhook_attempts")


class Migration(migrations.Migration):
    dependencies = [("careline", "0004_queues")]

    operations = [
        AddField("User", "subject", fields.CharField(max_length=255, null=True)),
        MakeIndex(
            "User",
            Index(
                fields=["workspace_id", "subject"],
                name="users_subject",
                unique=True,
                where="subject IS NOT NULL",
            ),
        ),
        MakeIndex("User", Index(fields=["subject"], name="users_token", where="subject IS NOT NULL")),
        CreateTable(
            name="Webhook",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("version", fields.IntField(default=1)),
                ("name", fields.CharField(max_length=120)),
                ("url", fields.CharField(max_length=2000)),
                ("topics", Document()),
                ("document", fields.TextField(null=True)),
                ("role", choice(Role)),
                ("scopes", Document()),
                ("secret", fields.CharField(max_length=255)),
                ("previous_secret", fields.CharField(null=True, max_length=255)),
                ("previous_until", Instant(null=True)),
                ("position", fields.BigIntField()),
                ("wake_at", Instant(null=True)),
                ("failing_since", Instant(null=True)),
                ("last_success_at", Instant(null=True)),
                ("disabled_at", Instant(null=True)),
                ("disabled_reason", choice(DisabledReason, null=True)),
                ("created_by", fields.CharField(max_length=64)),
                ("created_at", Instant()),
            ],
            options={
                "table": "webhooks",
                "app": "careline",
                "indexes": [Index(fields=["workspace_id", "name"], name="webhooks_name", unique=True)],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        CreateTable(
            name="WebhookDelivery",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("version", fields.IntField(default=1)),
                ("webhook_id", Reference("webhooks")),
                ("position", fields.BigIntField(null=True)),
                ("message_id", fields.CharField(max_length=40)),
                ("name", fields.CharField(max_length=64)),
                ("subject", fields.CharField(max_length=32)),
                ("subject_id", fields.BigIntField()),
                ("state", choice(DeliveryState)),
                ("tries", fields.IntField(default=0)),
                ("next_at", Instant(null=True)),
                ("first_at", Instant(null=True)),
                ("delivered_at", Instant(null=True)),
                ("created_at", Instant()),
            ],
            options={
                "table": "webhook_deliveries",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "webhook_id", "position"],
                        name="webhook_deliveries_line",
                        unique=True,
                        where="position IS NOT NULL",
                    ),
                    Index(
                        fields=["workspace_id", "webhook_id", "position"],
                        name="webhook_deliveries_pending",
                        where="state = 'PENDING'",
                    ),
                    Index(
                        fields=["workspace_id", "webhook_id", "subject", "subject_id", "position"],
                        name="webhook_deliveries_order",
                        where="state = 'PENDING'",
                    ),
                    Index(fields=["workspace_id", "webhook_id", "id"], name="webhook_deliveries_list"),
                    Index(fields=["created_at"], name="webhook_deliveries_age"),
                ],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        CreateTable(
            name="WebhookAttempt",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("delivery_id", Reference("webhook_deliveries")),
                ("at", Instant()),
                ("status", fields.IntField(null=True)),
                ("error", choice(AttemptError, null=True)),
                ("duration_ms", fields.IntField()),
                ("answer", fields.CharField(max_length=500)),
            ],
            options={
                "table": "webhook_attempts",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "delivery_id", "id"], name="webhook_attempts_list")
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
