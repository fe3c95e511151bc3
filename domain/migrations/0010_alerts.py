"""Customers at risk, and how many contacts in a row each has left unanswered."""

from tortoise import fields, migrations

from domain.alerts.models import AlertLevel, AlertOutcome, AlertState
from domain.db.fields import Document, Index, Instant, Reference, choice
from domain.db.schema import CreateTable, SecureRows

TABLES = ("alerts", "contact_streaks")


class Migration(migrations.Migration):
    dependencies = [("careline", "0007_rule_segments")]

    operations = [
        CreateTable(
            name="Alert",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("version", fields.IntField(default=1)),
                ("customer_id", Reference("customers")),
                ("level", choice(AlertLevel)),
                ("state", choice(AlertState, default=AlertState.OPEN)),
                ("reasons", Document()),
                ("owner_id", Reference("users", null=True)),
                ("opened_at", Instant()),
                ("raised_at", Instant()),
                ("closed_at", Instant(null=True)),
                ("by_hand", fields.BooleanField(default=False)),
                ("outcome", choice(AlertOutcome, null=True)),
                ("note", fields.TextField(default="", unique=False)),
                ("updated_at", Instant()),
            ],
            options={
                "table": "alerts",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "customer_id"],
                        name="alerts_open",
                        unique=True,
                        where="state = 'OPEN'",
                    ),
                    Index(fields=["workspace_id", "customer_id", "opened_at", "id"], name="alerts_customer"),
                    Index(fields=["workspace_id", "opened_at", "id"], name="alerts_opened"),
                    Index(fields=["workspace_id", "raised_at", "id"], name="alerts_raised"),
                    Index(fields=["workspace_id", "state", "level", "opened_at", "id"], name="alerts_level"),
                    Index(
                        fields=["workspace_id", "owner_id", "state", "opened_at", "id"], name="alerts_owner"
                    ),
                ],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        CreateTable(
            name="ContactStreak",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("version", fields.IntField(default=1)),
                ("customer_id", Reference("customers")),
                ("unanswered", fields.IntField()),
                ("next_at", Instant(null=True)),
                ("attempts", fields.IntField(default=0)),
                ("retry_at", Instant(null=True)),
            ],
            options={
                "table": "contact_streaks",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "customer_id"], name="contact_streaks_customer", unique=True
                    ),
                    Index(fields=["next_at"], name="contact_streaks_next", where="next_at IS NOT NULL"),
                ],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        SecureRows(TABLES),
    ]
