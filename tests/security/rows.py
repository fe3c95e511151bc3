"""The rows of a database as plain values, to say that nothing happened."""

from typing import Any

from domain import db

Rows = dict[str, list[tuple[Any, ...]]]


async def tables() -> list[str]:
    listed = (
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
        if db.is_postgres()
        else "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    return sorted(row["name"] for row in await db.rows(listed))


async def snapshot(workspace_id: int | None = None) -> Rows:
    """All rows of the database, or of one workspace: every table, every column.

    Only when a key was last used is left out where the whole database is read: asking leaves its trace.
    """
    found: Rows = {}
    for table in await tables():
        rows = [dict(row) for row in await db.rows(f"SELECT * FROM {table}")]
        if workspace_id is not None:
            column = "id" if table == "workspaces" else "workspace_id"
            rows = [row for row in rows if row.get(column) == workspace_id]
        elif table == "api_keys":
            for row in rows:
                del row["last_used_at"]
        found[table] = sorted(tuple(str(value) for value in row.values()) for row in rows)
    return found


def differences(before: Rows, after: Rows) -> dict[str, set[tuple[Any, ...]]]:
    """By table, the rows that are only in one of the two."""
    return {
        table: set(before[table]) ^ set(after[table]) for table in before if before[table] != after[table]
    }
