"""Due query → what is done with each row that has come due."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import alerts, runs, segments, tasks, timekeeping, webhooks, workspaces

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Due:
    """One kind of timer.

    `find(now, workspace, limit)` gives rows with `id`, `workspace_id` and `due_at`: of one sandbox, or
    of all workspaces on the real clock. `act` does one of them, guarded by the due time that was seen;
    `act_all` several of a workspace, all or none. `apart` sets a row aside on which `act` failed.
    """

    find: Callable[[datetime, int | None, int], Awaitable[Rows]]
    act: Callable[[int, int, datetime], Awaitable[object]]
    apart: Callable[[int, int, BaseException], Awaitable[None]] | None = None
    act_all: Callable[[int, Mapping[int, datetime]], Awaitable[int]] | None = None


DUE: dict[str, Due] = {
    "alerts": Due(alerts.due, alerts.wake, alerts.set_apart),
    "escalations": Due(tasks.due_escalations, tasks.escalate, tasks.set_apart, tasks.escalate_all),
    "snoozes": Due(tasks.due_snoozes, tasks.wake, tasks.set_apart),
    "segments": Due(segments.due_marks, segments.follow),
    "schedules": Due(runs.due_schedules, runs.fire_slot, runs.set_schedule_apart),
    "webhooks": Due(webhooks.due, webhooks.wake, webhooks.set_apart),
}


async def next_instant(workspace_id: int, until: datetime) -> datetime | None:
    """The earliest instant up to `until` at which anything of a sandbox falls due."""
    instants = [
        await alerts.next_due(workspace_id, until),
        await tasks.next_due(workspace_id, until),
        await segments.next_due(workspace_id, until),
        await runs.next_slot_due(workspace_id, until),
        await webhooks.next_due(workspace_id, until),
    ]
    return min((at for at in instants if at is not None), default=None)


async def anything(now: datetime, kind: str) -> bool:
    """Whether a timer of this kind wants something: of a workspace on the real clock, or of a sandbox."""
    due = DUE[kind]
    if await due.find(now, None, 1):
        return True
    return any([await due.find(await timekeeping.now(w.id), w.id, 1) for w in await workspaces.sandboxes()])
