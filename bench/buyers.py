"""Customers with three years of orders, the same in words of both databases, and changes to some of them."""

from random import Random

from domain import db

DAYS = 1_095


async def fill(workspace_id: int, customers: int, orders: int) -> None:
    """So many customers, and orders shared out among nearly all of them, about evenly over three years."""
    await db.execute(
        f"""INSERT INTO customers (workspace_id, version, external_id, name, registered_at, excluded,
              synthetic, order_count, order_total_minor, created_at, updated_at)
            SELECT :workspace, 1, 'C-' || n, 'Customer ' || n, {_ago("n * 7919 % 1095", "n % 86400")},
              FALSE, FALSE, 0, 0, {_ago("0", "0")}, {_ago("0", "0")}
            FROM {_numbers(customers)}""",
        workspace=workspace_id,
    )
    first = await db.value("SELECT MIN(id) FROM customers WHERE workspace_id = :id", id=workspace_id)
    day, second = f"CAST(n * 104729 % {DAYS} AS integer)", "CAST(n * 31 % 80000 AS integer)"
    await db.execute(
        f"""INSERT INTO orders (workspace_id, version, external_id, customer_id, status, ordered_at,
              ordered_on, quantity, amount_minor, currency, created_at)
            SELECT :workspace, 1, 'O-' || n, {first} + n * 48271 % {customers},
              CASE WHEN n % 50 = 0 THEN 'REFUNDED' ELSE 'DELIVERED' END, {_ago(day, second)},
              {_day(day)}, 1, 100 + n * 6151 % 90000, 'CNY', {_ago("0", "0")}
            FROM {_numbers(orders)}""",
        workspace=workspace_id,
    )
    await db.execute(
        """UPDATE customers SET last_interaction_at = latest FROM (
             SELECT customer_id, MAX(ordered_at) AS latest FROM orders WHERE workspace_id = :workspace
             GROUP BY customer_id) bought
           WHERE customers.id = bought.customer_id""",
        workspace=workspace_id,
    )
    # As after an import long ago.
    await db.execute("DELETE FROM placement_marks WHERE workspace_id = :workspace", workspace=workspace_id)


async def touch(workspace_id: int, random: Random, many: int, customers: int) -> None:
    """One more yuan for an order of each of so many customers; the database marks them."""
    start, apart = random.randrange(customers), max(1, customers // many)
    await db.execute(
        """UPDATE orders SET amount_minor = amount_minor + 100 WHERE id IN (
             SELECT MAX(o.id) FROM orders o JOIN customers c ON c.id = o.customer_id
             WHERE o.workspace_id = :workspace AND (c.id + :start) % :apart = 0 GROUP BY c.id)""",
        workspace=workspace_id,
        start=start,
        apart=apart,
    )


def _numbers(count: int) -> str:
    if db.is_postgres():
        return f"generate_series(1::bigint, {count}) AS numbers(n)"
    return f"""(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})
                SELECT n FROM numbers)"""


def _ago(days: str, seconds: str) -> str:
    if db.is_postgres():
        return f"now() - ({days}) * interval '1 day' - ({seconds}) * interval '1 second'"
    changes = f"'-' || ({days}) || ' days', '-' || ({seconds}) || ' seconds'"
    return f"strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', {changes})"


def _day(days: str) -> str:
    return f"CURRENT_DATE - ({days})" if db.is_postgres() else f"date('now', '-' || ({days}) || ' days')"
