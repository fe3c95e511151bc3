"""Forgets what was sent long ago."""

from datetime import timedelta

from domain import db, timekeeping

KEPT = timedelta(days=30)
BATCH = 1000


async def prune() -> int:
    """Delete ended deliveries past their time with their attempts, a batch at once; how many."""
    async with db.transaction():
        old = await db.rows(
            """SELECT id FROM webhook_deliveries WHERE created_at < :before AND state <> 'PENDING'
               ORDER BY created_at LIMIT :limit""",
            before=timekeeping.machine_now() - KEPT,
            limit=BATCH,
        )
        ids = [row["id"] for row in old]
        await db.execute("DELETE FROM webhook_attempts WHERE delivery_id IN :ids", ids=ids)
        return await db.execute("DELETE FROM webhook_deliveries WHERE id IN :ids", ids=ids)
