"""Asks about machine work."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Q

from domain import db
from domain.access import Principal
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.runs.models import ACTIVE, ENDED, WAITING, Run, RunQueue
from domain.runs.pauses import pauses


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Run]:
    return await paged(Run.filter(where, workspace_id=who.workspace_id), order, part)


async def unfinished(workspace_id: int, besides: Sequence[int] = ()) -> list[Run]:
    """Runs of a workspace that have not ended, in the order in which they would be taken."""
    query = Run.filter(workspace_id=workspace_id, state__not_in=list(ENDED))
    if besides:
        query = query.filter(id__not_in=list(besides))
    return await query.order_by("priority", "run_at", "id")


async def is_active(run: Run) -> bool:
    """Whether some worker has the run now."""
    return await Run.filter(workspace_id=run.workspace_id, id=run.id, state__in=list(ACTIVE)).exists()


@dataclass(frozen=True)
class Depth:
    """How full a queue of a workspace is."""

    queue: RunQueue
    waiting: int
    running: int
    oldest_at: datetime | None
    """Since when the run that waits longest could have started."""
    paused: bool


async def depths(workspace_id: int) -> list[Depth]:
    """Every queue of a workspace, the urgent first."""
    rows = await db.rows(
        """SELECT queue, sum(CASE WHEN state IN :waiting THEN 1 ELSE 0 END) AS waiting,
             sum(CASE WHEN state IN :active THEN 1 ELSE 0 END) AS running,
             min(CASE WHEN state = 'QUEUED' THEN run_at END) AS oldest_at
           FROM runs WHERE workspace_id = :workspace AND state IN :open GROUP BY queue""",
        workspace=workspace_id,
        waiting=[state.value for state in WAITING],
        active=[state.value for state in ACTIVE],
        open=[state.value for state in (*WAITING, *ACTIVE)],
    )
    by_queue = {row["queue"]: row for row in rows}
    paused = {pause.queue for pause in await pauses(workspace_id)}
    found = []
    for queue in RunQueue:
        row = by_queue.get(queue.value, {"waiting": 0, "running": 0, "oldest_at": None})
        oldest = db.instant_of(row["oldest_at"]) if row["oldest_at"] else None
        found.append(Depth(queue, int(row["waiting"]), int(row["running"]), oldest, queue in paused))
    return found
