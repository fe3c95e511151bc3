"""Customers at risk, how many contacts in a row each has left unanswered, and how healthy each is."""

from tortoise import fields, migrations

from domain.alerts.models import AlertLevel, AlertOutcome, AlertState
from domain.db.fields import Document, Index, Instant, Reference, choice
from domain.db.schema import CreateTable, SecureRows
from domain.health.models import HealthBand

TABLES = ("alerts", "contact_streaks", "health_publications", "health_scores", "health_moves")


class Migration(migrations.Migration):
    dependencies = [("careline", "0009_incremental")]

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
        CreateTable(
            name="HealthPublication",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("number", fields.IntField()),
                ("weights", fields.IntField()),
                ("customers", fields.BigIntField()),
                ("as_of", Instant()),
                ("computed_at", Instant()),
            ],
            options={
                "table": "health_publications",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "number"], name="health_publications_number", unique=True),
                    Index(fields=["workspace_id", "run_id"], name="health_publications_run", unique=True),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="HealthScore",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("customer_id", Reference("customers")),
                ("recency_days", fields.IntField()),
                ("orders", fields.IntField()),
                ("orders_before", fields.IntField()),
                ("asked", fields.IntField()),
                ("answered", fields.IntField()),
                ("ratings", fields.IntField()),
                ("rating_total", fields.IntField()),
                ("engaged", fields.IntField()),
                ("engaged_long", fields.IntField()),
                ("score", fields.IntField()),
                ("band", choice(HealthBand)),
            ],
            options={
                "table": "health_scores",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "run_id", "customer_id"],
                        name="health_scores_run",
                        unique=True,
                    ),
                    Index(fields=["workspace_id", "customer_id"], name="health_scores_customer"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="HealthMove",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("run_id", Reference("runs")),
                ("customer_id", Reference("customers")),
                ("score", fields.IntField()),
                ("band", choice(HealthBand)),
            ],
            options={
                "table": "health_moves",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "customer_id", "run_id"],
                        name="health_moves_customer",
                        unique=True,
                    ),
                    Index(fields=["workspace_id", "run_id"], name="health_moves_run"),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        SecureRows(TABLES),
    ]
