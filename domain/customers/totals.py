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
             (first_order_at, last_order_at, order_count, order_total_minor, last_interaction_at) = (
               SELECT MIN(CASE WHEN status <> 'REFUNDED' THEN ordered_at END),
                 MAX(CASE WHEN status <> 'REFUNDED' THEN ordered_at END),
                 COUNT(CASE WHEN status <> 'REFUNDED' THEN 1 END),
                 COALESCE(SUM(CASE WHEN status <> 'REFUNDED' THEN amount_minor END), 0),
                 CASE WHEN customers.last_interaction_at > MAX(ordered_at)
                   THEN customers.last_interaction_at
                   ELSE COALESCE(MAX(ordered_at), customers.last_interaction_at) END
               FROM orders
               WHERE orders.workspace_id = :workspace AND orders.customer_id = customers.id)
           WHERE workspace_id = :workspace AND id IN :customers""",
        now=await timekeeping.now(workspace_id),
        **given,
    )
    await db.execute(
        """UPDATE customers SET registered_at = first_order_at
           WHERE workspace_id = :workspace AND id IN :customers AND first_order_at < registered_at
             AND EXISTS (SELECT 1 FROM orders WHERE orders.workspace_id = :workspace
               AND orders.customer_id = customers.id
               AND orders.ordered_at = customers.registered_at)""",
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
