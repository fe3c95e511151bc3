"""A workspace full of customers, orders and tasks, filled by a few statements."""

from domain import db, workspaces
from domain.access import Role, system

ORDERS, TASKS, BUSY = 5, 10, 5
"""Orders of each customer, tasks of each busy one, and which is busy: one in so many."""


async def fill(customers: int) -> str:
    """So many customers with five orders each, and ten tasks for each fifth; the key of an owner."""
    db.enter_everywhere()
    made = await workspaces.create("Bench", currency="CNY")
    await db.execute(
        """INSERT INTO customers (workspace_id, version, external_id, name, company, phone, email,
             registered_at, excluded, synthetic, first_order_at, last_order_at, order_count,
             order_total_minor, last_interaction_at, created_at, updated_at)
           SELECT :workspace, 1, 'C-' || n, 'Customer ' || n, 'Company ' || n % 1000,
             '+86 10 ' || 1000000 + n, 'c' || n || '@example.com', at, false, false, at,
             at + interval '20 days', 5, 50000, at, at, at
           FROM (SELECT n, timestamptz '2025-01-01' + n % 500000 * interval '1 minute' AS at
                 FROM generate_series(1, :count) n) numbered""",
        workspace=made.id,
        count=customers,
    )
    await db.execute(
        f"""INSERT INTO orders (workspace_id, version, external_id, customer_id, status, ordered_at,
             ordered_on, quantity, amount_minor, currency, created_at)
           SELECT workspace_id, 1, external_id || '-' || k, id, 'PAID', registered_at + k * interval '4 days',
             (registered_at + k * interval '4 days')::date, 1, 10000 + k, 'CNY', registered_at
           FROM customers, generate_series(1, {ORDERS}) k WHERE workspace_id = :workspace""",
        workspace=made.id,
    )
    await db.execute(
        f"""INSERT INTO tasks (workspace_id, version, kind, state, title, script, priority, customer_id,
             dedupe_key, due_at, policy, policy_number, rung, attempts, created_at, updated_at)
           SELECT workspace_id, 1, 'GENERAL', CASE WHEN k % 5 = 0 THEN 'DONE' ELSE 'OPEN' END,
             'Call ' || name, '', 'NORMAL', id, 'bench:' || id || ':' || k,
             registered_at + k * interval '3 hours', 'bench', 0, 0, 0, registered_at, registered_at
           FROM customers, generate_series(1, {TASKS}) k
           WHERE workspace_id = :workspace AND id % {BUSY} = 0""",
        workspace=made.id,
    )
    await db.execute("VACUUM ANALYZE")
    key = await workspaces.create_key(system(made.id), name="bench", role=Role.OWNER)
    return key.secret
