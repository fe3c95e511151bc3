"""Running totals of customers, always computed anew from their orders, so that doing it twice is harmless."""

from collections.abc import Collection
from datetime import datetime

from domain import db, timekeeping


async def lock(workspace_id: int, customer_ids: Collection[int]) -> None:
    """Take the rows in the order of their ids, so that two transactions never wait for each other."""
    if db.is_postgres():
        await db.rows(
            """SELECT id FROM customers WHERE workspace_id = :workspace AND id IN :customers
               ORDER BY id FOR NO KEY UPDATE""",
            workspace=workspace_id,
            customers=sorted(customer_ids),
        )


async def recompute(workspace_id: int, customer_ids: Collection[int]) -> None:
    """Bring the totals of these customers in line with their orders.

    Count, total, first and last are over orders that are not refunded. Any order, refunded or not,
    is an interaction, and the last interaction only moves forward: other concepts report theirs too.
    Who became a customer by an order is registered since their first: an older order that arrives
    later moves the date back.
    """
    if not customer_ids:
        return
    await lock(workspace_id, customer_ids)
    given = {"workspace": workspace_id, "customers": sorted(customer_ids)}
    # One subquery for all of it: asked for the latest order alone, PostgreSQL may walk everybody's
    # orders from the latest on until it meets one of this customer.
    await db.execute(
        """UPDATE customers SET updated_at = :now,
             (first_order_at, last_order_at, order_count, order_total_minor, last_interaction_at,
              registered_at) = (
               SELECT MIN(CASE WHEN status <> 'REFUNDED' THEN ordered_at END),
                 MAX(CASE WHEN status <> 'REFUNDED' THEN ordered_at END),
                 COUNT(CASE WHEN status <> 'REFUNDED' THEN 1 END),
                 COALESCE(SUM(CASE WHEN status <> 'REFUNDED' THEN amount_minor END), 0),
                 CASE WHEN customers.last_interaction_at > MAX(ordered_at)
                   THEN customers.last_interaction_at
                   ELSE COALESCE(MAX(ordered_at), customers.last_interaction_at) END,
                 CASE WHEN MAX(CASE WHEN ordered_at = customers.registered_at THEN 1 END) = 1
                     AND MIN(CASE WHEN status <> 'REFUNDED' THEN ordered_at END) < customers.registered_at
                   THEN MIN(CASE WHEN status <> 'REFUNDED' THEN ordered_at END)
                   ELSE customers.registered_at END
               FROM orders
               WHERE orders.workspace_id = :workspace AND orders.customer_id = customers.id)
           WHERE workspace_id = :workspace AND id IN :customers""",
        now=await timekeeping.now(workspace_id),
        **given,
    )


async def note_interaction(workspace_id: int, customer_id: int, at: datetime) -> None:
    """Move a customer's last interaction forward to `at`; an earlier one changes nothing."""
    await db.execute(
        """UPDATE customers SET last_interaction_at = :at, updated_at = :now
           WHERE workspace_id = :workspace AND id = :customer
             AND (last_interaction_at IS NULL OR last_interaction_at < :at)""",
        workspace=workspace_id,
        customer=customer_id,
        at=at,
        now=await timekeeping.now(workspace_id),
    )


async def note_interactions(workspace_id: int, customer_ids: Collection[int], table: str, which: str) -> None:
    """Move the last interactions of many customers forward to their latest row of a table with `occurred_at`.

    `which` is the condition under which a row of that table is an interaction.
    """
    if not customer_ids:
        return
    await lock(workspace_id, customer_ids)
    latest = f"""(SELECT MAX(occurred_at) FROM {table} WHERE {table}.workspace_id = :workspace
                  AND {table}.customer_id = customers.id AND {which})"""
    await db.execute(
        f"""UPDATE customers SET last_interaction_at = {latest}, updated_at = :now
            WHERE workspace_id = :workspace AND id IN :customers
              AND (last_interaction_at < {latest}
                OR (last_interaction_at IS NULL AND {latest} IS NOT NULL))""",
        workspace=workspace_id,
        customers=sorted(customer_ids),
        now=await timekeeping.now(workspace_id),
    )


_INTERACTIONS = {"orders": "ordered_at", "behaviour_events": "occurred_at"}
_WHICH: dict[str, str] = {}


def counts_as_interaction(table: str, column: str, which: str) -> None:
    """Name a table of a later concept whose rows, under a condition, end a customer's silence."""
    _INTERACTIONS[table] = column
    _WHICH[table] = which


async def recall_interactions(workspace_id: int, customer_ids: Collection[int]) -> None:
    """Set the last interactions anew from what is stored, after something was taken away."""
    latest = " UNION ALL ".join(
        f"""SELECT MAX({column}) AS at FROM {table} WHERE {table}.workspace_id = :workspace
            AND {table}.customer_id = customers.id AND {_WHICH.get(table, "1 = 1")}"""
        for table, column in _INTERACTIONS.items()
    )
    await lock(workspace_id, customer_ids)
    await db.execute(
        f"""UPDATE customers SET last_interaction_at = (SELECT MAX(at) FROM ({latest}) AS told)
            WHERE workspace_id = :workspace AND id IN :customers""",
        workspace=workspace_id,
        customers=sorted(customer_ids),
    )
