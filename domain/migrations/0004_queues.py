"""Queued runs are found by their queue, and row-level security no longer misleads PostgreSQL's planner.

Old processes may go on beside it: what they ask for is found by the new index too.
"""

from importlib import import_module

from tortoise import migrations

from domain.db.fields import Index
from domain.db.schema import DropIndex, MakeIndex, SecureRows

TABLES = import_module("domain.migrations.0003_row_security").TABLES


class Migration(migrations.Migration):
    dependencies = [("careline", "0003_row_security")]

    operations = [
        MakeIndex(
            "Run",
            Index(
                fields=["workspace_id", "queue", "priority", "run_at", "id"],
                name="runs_ready",
                where="state = 'QUEUED'",
            ),
        ),
        DropIndex("Run", "runs_queued"),
        SecureRows(TABLES),
    ]
