"""The ledger whole: failures and deaths of runs, pauses, schedules, and the lease of the leading clock.

Old processes may go on beside it: new columns of `runs` have defaults in the database, and
`workspaces.next_nightly_at` stays, empty, until the next version.
"""

from tortoise import fields, migrations
from tortoise.migrations.operations import AddField, RunSQL

from domain.db.fields import Document, Index, Instant, choice
from domain.db.schema import CreateTable, DropIndex, MakeIndex
from domain.runs.models import CatchUp

NIGHTLY = """
INSERT INTO schedules (workspace_id, version, name, kind, args, cron, jitter_seconds, catch_up,
  catch_up_seconds, pause_on_failure, pause_reason, next_at, next_slot_at, missed, created_at)
SELECT id, 1, 'NIGHTLY_RECOMPUTE', 'segmentation_recompute', '{}', '0 2 * * *', 0, 'LATEST', 86400, FALSE, '',
  next_nightly_at, next_nightly_at, 0, created_at
FROM workspaces WHERE next_nightly_at IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("careline", "0001_initial")]

    operations = [
        AddField("Run", "failures", fields.IntField(default=0, db_default=0)),
        AddField("Run", "deaths", fields.IntField(default=0, db_default=0)),
        AddField("Run", "merged_into", fields.BigIntField(null=True)),
        AddField("Run", "schedule_id", fields.BigIntField(null=True)),
        AddField("Run", "slot_at", Instant(null=True)),
        DropIndex("Run", "runs_ready"),
        MakeIndex(
            "Run",
            Index(
                fields=["workspace_id", "priority", "run_at", "id"],
                name="runs_queued",
                where="state = 'QUEUED'",
            ),
        ),
        MakeIndex(
            "Run",
            Index(fields=["run_at"], name="runs_later", where="state IN ('SCHEDULED', 'RETRYING')"),
        ),
        MakeIndex(
            "Run",
            Index(
                fields=["workspace_id", "kind"],
                name="runs_active",
                where="state IN ('RUNNING', 'CANCELLING')",
            ),
        ),
        MakeIndex("Run", Index(fields=["finished_at"], name="runs_ended", where="finished_at IS NOT NULL")),
        MakeIndex(
            "Run",
            Index(
                fields=["workspace_id", "schedule_id", "slot_at"],
                name="runs_one_slot",
                unique=True,
                where="schedule_id IS NOT NULL",
            ),
        ),
        MakeIndex(
            "Order",
            Index(fields=["workspace_id", "run_id"], name="orders_run", where="run_id IS NOT NULL"),
        ),
        CreateTable(
            name="RunPause",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("queue", fields.CharField(null=True, max_length=32)),
                ("kind", fields.CharField(null=True, max_length=32)),
                ("reason", fields.CharField(default="", max_length=200)),
                ("paused_by", fields.CharField(max_length=64)),
                ("paused_at", Instant()),
            ],
            options={
                "table": "run_pauses",
                "app": "careline",
                "indexes": [
                    Index(
                        fields=["workspace_id", "queue"],
                        name="run_pauses_queue",
                        unique=True,
                        where="queue IS NOT NULL",
                    ),
                    Index(
                        fields=["workspace_id", "kind"],
                        name="run_pauses_kind",
                        unique=True,
                        where="kind IS NOT NULL",
                    ),
                ],
                "pk_attr": "id",
            },
            bases=["Model"],
        ),
        CreateTable(
            name="Schedule",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("workspace_id", fields.BigIntField()),
                ("version", fields.IntField(default=1)),
                ("name", fields.CharField(max_length=64)),
                ("kind", fields.CharField(max_length=32)),
                ("args", Document()),
                ("cron", fields.CharField(max_length=100)),
                ("zone", fields.CharField(null=True, max_length=64)),
                ("jitter_seconds", fields.IntField(default=0)),
                ("catch_up", choice(CatchUp)),
                ("catch_up_seconds", fields.IntField(default=86_400)),
                ("pause_on_failure", fields.BooleanField(default=False)),
                ("paused_at", Instant(null=True)),
                ("pause_reason", fields.CharField(default="", max_length=200)),
                ("next_at", Instant(null=True)),
                ("next_slot_at", Instant(null=True)),
                ("last_slot_at", Instant(null=True)),
                ("last_run_id", fields.BigIntField(null=True)),
                ("missed", fields.IntField(default=0)),
                ("created_at", Instant()),
            ],
            options={
                "table": "schedules",
                "app": "careline",
                "indexes": [
                    Index(fields=["workspace_id", "name"], name="schedules_name", unique=True),
                    Index(fields=["next_at"], name="schedules_due", where="next_at IS NOT NULL"),
                ],
                "pk_attr": "id",
            },
            bases=["Record"],
        ),
        CreateTable(
            name="Lease",
            fields=[
                ("name", fields.CharField(primary_key=True, max_length=32)),
                ("holder", fields.CharField(max_length=64)),
                ("term", fields.BigIntField()),
                ("until", Instant()),
            ],
            options={"table": "leases", "app": "careline", "indexes": [], "pk_attr": "name"},
            bases=["Model"],
        ),
        RunSQL(NIGHTLY),
        RunSQL("UPDATE workspaces SET next_nightly_at = NULL WHERE next_nightly_at IS NOT NULL"),
    ]
