"""Writes many customers or orders by their external ids in a few statements.

Rows are always taken in the order of their external ids, so that two writers of the same rows wait
for each other one way round only.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from domain import db

Row = dict[str, Any]


async def insert_new(table: str, rows: Sequence[Row], returning: str) -> list[Row]:
    """Insert the rows whose external id is not there yet, and return those."""
    return await db.insert_many(
        table,
        sorted(rows, key=lambda row: str(row["external_id"])),
        then="ON CONFLICT (workspace_id, external_id) DO NOTHING",
        returning=returning,
    )


async def update_known(
    table: str, rows: Sequence[Row], values: Mapping[str, str], also: str, returning: str
) -> list[Row]:
    """Update the rows that differ from what is stored, and return those.

    `values` says for each column what it becomes, in terms of `excluded` (the row given) and the
    table (the row stored); `also` is set only where one of them differs.
    """
    if not values:
        return []
    assignments = ", ".join(f"{column} = {value}" for column, value in values.items())
    differs = " OR ".join(f"{table}.{column} IS DISTINCT FROM {value}" for column, value in values.items())
    return await db.insert_many(
        table,
        sorted(rows, key=lambda row: str(row["external_id"])),
        then=f"""ON CONFLICT (workspace_id, external_id) DO UPDATE
                 SET version = {table}.version + 1, {also}{assignments} WHERE {differs}""",
        returning=returning,
    )


def customer_row(workspace_id: int, external_id: str, now: datetime, **values: Any) -> Row:
    """All columns of a customer who has not ordered yet."""
    return {
        "workspace_id": workspace_id,
        "version": 1,
        "external_id": external_id,
        "name": None,
        "company": None,
        "phone": None,
        "email": None,
        "owner_id": None,
        "registered_at": now,
        "excluded": False,
        "synthetic": False,
        "order_count": 0,
        "order_total_minor": 0,
        "created_at": now,
        "updated_at": now,
        **values,
    }


async def homes(workspace_id: int, keys: Collection[Any], by: str = "external_id") -> dict[Any, int]:
    """The ids of those who are known, held so that none of them is merged away until the rows are written.

    What comes under the key of a record that was merged goes to the one that it was merged into.
    """
    if not keys:
        return {}
    held = f"ORDER BY {by} FOR KEY SHARE" if db.is_postgres() and db.in_transaction() else ""
    found = await db.rows(
        f"""SELECT COALESCE(merged_into_id, id) AS home, {by} AS key FROM customers
            WHERE workspace_id = :workspace AND {by} IN :keys {held}""",
        workspace=workspace_id,
        keys=sorted(keys),
    )
    return {row["key"]: row["home"] for row in found}


async def create_customers(
    workspace_id: int, registered: Mapping[str, datetime], now: datetime
) -> tuple[dict[str, int], set[str]]:
    """The ids of customers by external id, creating the unknown ones, and who those were."""
    known = await homes(workspace_id, registered.keys())
    missing = [name for name in registered if name not in known]
    if not missing:
        return known, set()
    made = await insert_new(
        "customers",
        [customer_row(workspace_id, name, now, registered_at=registered[name]) for name in missing],
        returning="id, external_id",
    )
    known |= {row["external_id"]: row["id"] for row in made}
    if len(made) < len(missing):  # somebody else created some of them in this very moment
        known |= await homes(workspace_id, [name for name in missing if name not in known])
    return known, {row["external_id"] for row in made}


async def measure() -> None:
    """Have PostgreSQL count the tables that an import fills.

    It plans for a table that it has never counted as if that were empty, and counts by itself only
    each minute: until then every check of a reference would read a growing part of the table.
    """
    if db.is_postgres():
        await db.execute("ANALYZE customers, customer_tags, orders")
