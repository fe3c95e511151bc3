"""What falls due on a task by itself: the next rung of its ladder, and the end of a snooze.

The due time is the lock: a row is taken with the due time that was seen, so however many workers and
messages there are, each rung is climbed once.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain import db, journal, timekeeping, workspaces
from domain.access import Role, system
from domain.journal import Entry
from domain.records import put_off
from domain.tasks.care import policy, rung_at
from domain.tasks.models import OPEN_STATES, Priority, Task, TaskState
from domain.workspaces import User

BATCH = 100
RAISED = {Priority.LOW: Priority.NORMAL, Priority.NORMAL: Priority.HIGH}


async def due_escalations(
    now: datetime, workspace_id: int | None, limit: int = BATCH
) -> list[dict[str, Any]]:
    """Tasks whose next rung has come, the longest due first: of one sandbox, or of all that are none."""
    return await _due("next_escalation_at", "next_escalation_at IS NOT NULL", now, workspace_id, limit)


async def due_snoozes(now: datetime, workspace_id: int | None, limit: int = BATCH) -> list[dict[str, Any]]:
    """Tasks whose snooze has ended."""
    return await _due("snoozed_until", "state = 'SNOOZED'", now, workspace_id, limit)


async def _due(
    column: str, condition: str, now: datetime, workspace_id: int | None, limit: int
) -> list[dict[str, Any]]:
    whose = (
        "workspace_id = :workspace"
        if workspace_id
        else "workspace_id NOT IN (SELECT id FROM workspaces WHERE sandbox = :sandbox)"
    )
    given: dict[str, Any] = {"workspace": workspace_id} if workspace_id else {"sandbox": True}
    return await db.rows(
        f"""SELECT id, workspace_id, {column} AS due_at FROM tasks
            WHERE {condition} AND {column} <= :now AND {whose}
              AND (retry_at IS NULL OR retry_at <= {{now}})
            ORDER BY {column}, id LIMIT :limit""",
        now=now,
        limit=limit,
        **given,
    )


async def next_due(workspace_id: int, until: datetime) -> datetime | None:
    """The earliest instant up to `until` at which a task of a workspace wants something."""
    found = await db.value(
        """SELECT min(at) AS at FROM (
             SELECT min(next_escalation_at) AS at FROM tasks
             WHERE workspace_id = :workspace AND next_escalation_at <= :until
             UNION ALL
             SELECT min(snoozed_until) FROM tasks
             WHERE workspace_id = :workspace AND state = 'SNOOZED' AND snoozed_until <= :until) due""",
        workspace=workspace_id,
        until=until,
    )
    return db.instant_of(found) if found is not None else None


async def escalate(workspace_id: int, task_id: int, due_at: datetime) -> bool:
    """Move a task one rung up its ladder, once; whether this call did."""
    return bool(await escalate_all(workspace_id, {task_id: due_at}))


async def escalate_all(workspace_id: int, due: Mapping[int, datetime]) -> int:
    """Move tasks one rung up their ladders, each once, in one transaction; how many this call moved.

    `due` has the due times the caller saw. A task that has moved on since (finished, satisfied, already
    escalated) stays as it is, so the same message may arrive any number of times.
    """
    async with db.transaction():
        tasks = (
            await Task.filter(workspace_id=workspace_id, id__in=list(due), state__in=list(OPEN_STATES))
            .order_by("next_escalation_at", "id")
            .select_for_update()
        )
        plan = (await policy(workspace_id)).care
        now = await timekeeping.now(workspace_id)
        told: dict[tuple[Role, int | None], User | None] = {}
        escalations, entries, moved = [], [], 0
        for task in tasks:
            at = due[task.id]
            rungs = plan.rungs(task.kind)
            if task.next_escalation_at != at:
                continue
            if task.rung >= len(rungs):  # the ladder was shortened since
                moved += await task.change({"next_escalation_at": at}, next_escalation_at=None)
                continue
            to = rungs[task.rung].to_role
            whom = (to, task.team_id if to is Role.TEAM_LEAD else None)
            if whom not in told:
                told[whom] = await workspaces.first_with_role(workspace_id, *whom)
            if not await task.change(
                {"next_escalation_at": at},
                rung=task.rung + 1,
                next_escalation_at=rung_at(task.due_at, rungs, task.rung + 1),
                breached_at=task.breached_at or task.due_at,
                priority=RAISED.get(task.priority, Priority.URGENT),
                attempts=0,
                retry_at=None,
                updated_at=now,
            ):
                continue
            moved += 1
            user = told[whom]
            escalations.append(
                {
                    "workspace_id": workspace_id,
                    "task_id": task.id,
                    "rung": task.rung,
                    "due_at": at,
                    "acted_at": now,
                    "to_role": to.value,
                    "user_id": user.id if user else None,
                    "process_id": os.getpid(),
                }
            )
            data = {"rung": task.rung, "to": to.value}
            entries.append(Entry("task.escalated", task.id, task.customer_id, data))
        await db.insert_many("escalations", escalations)
        await journal.write_all(system(workspace_id, "timer"), entries)
    return moved


async def wake(workspace_id: int, task_id: int, due_at: datetime) -> bool:
    """End a snooze, once: the task is open again."""
    async with db.transaction():
        task = await Task.get_or_none(
            workspace_id=workspace_id, id=task_id, state=TaskState.SNOOZED, snoozed_until=due_at
        )
        if task is None:
            return False
        now = await timekeeping.now(workspace_id)
        if not await task.change(
            {"snoozed_until": due_at}, state=TaskState.OPEN, snoozed_until=None, updated_at=now
        ):
            return False
        await journal.write(system(workspace_id, "timer"), Entry("task.woken", task.id, task.customer_id))
    return True


async def set_apart(workspace_id: int, task_id: int, error: BaseException) -> None:
    await put_off(Task, workspace_id, task_id, error)
