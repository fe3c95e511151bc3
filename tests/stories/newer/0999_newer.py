"""What a next version may do beside this one: columns that may be empty, an index, a table."""

import asyncio
import os
from typing import Any

from tortoise import migrations
from tortoise.migrations.operations import TortoiseOperation

SLOW = "CARELINE_TEST_STEP_SECONDS"
"""How long the step takes, holding all that it has locked."""
STATEMENTS = (
    "ALTER TABLE tasks ADD COLUMN newer_word TEXT",
    "ALTER TABLE journal ADD COLUMN newer_word TEXT",
    "ALTER TABLE customers ADD COLUMN newer_word TEXT",
    "ALTER TABLE runs ADD COLUMN newer_word TEXT",
    "ALTER TABLE idempotency_keys ADD COLUMN newer_word TEXT",
    "CREATE INDEX tasks_newer ON tasks (workspace_id, newer_word)",
    "CREATE TABLE newer_things (id BIGINT PRIMARY KEY, word TEXT NOT NULL)",
)


class Statements(TortoiseOperation):
    def describe(self) -> str:
        return "Newer things"

    def state_forward(self, app_label: str, state: Any) -> None:
        """The models do not change."""

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        if state_editor:
            for statement in STATEMENTS:
                await state_editor._run_sql(f"{statement};")
            await asyncio.sleep(float(os.environ.get(SLOW, "0")))


class Migration(migrations.Migration):
    dependencies = [("careline", "0003_row_security")]

    operations = [Statements()]
