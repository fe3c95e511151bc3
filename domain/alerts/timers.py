"""The instant at which a contact counts as unanswered: the row is the timer, the due time the lock."""

from datetime import datetime
from typing import Any

from domain import db
from domain.access import system
from domain.alerts.evaluating import evaluate
from domain.alerts.models import ContactStreak
from domain.records import put_off

BATCH = 100


async def due(now: datetime, workspace_id: int | None, limit: int = BATCH) -> list[dict[str, Any]]:
    """Streaks of which a contact counts by now: of one sandbox, or of all workspaces that are none."""
    whose = (
        "workspace_id = :workspace"
        if workspace_id
        else "workspace_id NOT IN (SELECT id FROM workspaces WHERE sandbox = :sandbox)"
    )
    given: dict[str, Any] = {"workspace": workspace_id} if workspace_id else {"sandbox": True}
    return await db.rows(
        f"""SELECT id, workspace_id, next_at AS due_at FROM contact_streaks
            WHERE next_at IS NOT NULL AND next_at <= :now AND {whose}
              AND (retry_at IS NULL OR retry_at <= {{now}})
            ORDER BY next_at, id LIMIT :limit""",
        now=now,
        limit=limit,
        **given,
    )


async def next_due(workspace_id: int, until: datetime) -> datetime | None:
    """The earliest instant up to `until` at which a contact of a workspace counts."""
    found = await db.value(
        """SELECT MIN(next_at) AS at FROM contact_streaks
           WHERE workspace_id = :workspace AND next_at <= :until""",
        workspace=workspace_id,
        until=until,
    )
    return db.instant_of(found) if found is not None else None


async def wake(workspace_id: int, streak_id: int, due_at: datetime) -> bool:
    """Count the contact, once; whether this call did."""
    async with db.transaction():
        row = await ContactStreak.get_or_none(workspace_id=workspace_id, id=streak_id, next_at=due_at)
        if row is None:
            return False
        await evaluate(system(workspace_id, "timer"), [row.customer_id])
        return not await ContactStreak.exists(workspace_id=workspace_id, id=streak_id, next_at=due_at)


async def set_apart(workspace_id: int, streak_id: int, error: BaseException) -> None:
    await put_off(ContactStreak, workspace_id, streak_id, error)
