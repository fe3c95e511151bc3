"""Stops a workspace's queue or kind of run from starting more, and lets it go on."""

from domain import db, journal, timekeeping
from domain.access import Principal
from domain.errors import Invalid
from domain.journal import Entry
from domain.runs.claiming import QUEUES
from domain.runs.models import RunPause
from domain.runs.work import kinds
from domain.texts import text


async def pause(
    who: Principal, *, queue: str | None = None, kind: str | None = None, reason: str = ""
) -> bool:
    """Start no more runs of a queue or of a kind; what runs goes on. Whether it was not paused before."""
    _check(queue, kind)
    if reason:
        reason = text(reason, "reason", 200)
    async with db.transaction():
        made = await db.rows(
            """INSERT INTO run_pauses (workspace_id, queue, kind, reason, paused_by, paused_at)
               VALUES (:workspace, :queue, :kind, :reason, :by, :at)
               ON CONFLICT DO NOTHING RETURNING id""",
            workspace=who.workspace_id,
            queue=queue,
            kind=kind,
            reason=reason,
            by=who.label,
            at=timekeeping.machine_now(),
        )
        for row in made:
            await journal.write(who, Entry("queue.paused", row["id"], data={"queue": queue, "kind": kind}))
    return bool(made)


async def resume(who: Principal, *, queue: str | None = None, kind: str | None = None) -> bool:
    """Let a queue or a kind go on; whether it was paused."""
    _check(queue, kind)
    async with db.transaction():
        ended = await db.rows(
            """DELETE FROM run_pauses WHERE workspace_id = :workspace
                 AND (queue = CAST(:queue AS text) OR kind = CAST(:kind AS text)) RETURNING id""",
            workspace=who.workspace_id,
            queue=queue,
            kind=kind,
        )
        for row in ended:
            await journal.write(who, Entry("queue.resumed", row["id"], data={"queue": queue, "kind": kind}))
    return bool(ended)


async def pauses(workspace_id: int) -> list[RunPause]:
    """What a workspace has paused, the oldest first."""
    return await RunPause.filter(workspace_id=workspace_id).order_by("id")


def _check(queue: str | None, kind: str | None) -> None:
    if (queue is None) == (kind is None):
        raise Invalid("name a queue or a kind", field="what")
    if queue is not None and queue not in QUEUES:
        raise Invalid(f"there is no queue {queue!r}; there are {', '.join(QUEUES)}", field="what.queue")
    if kind is not None and kind not in kinds:
        raise Invalid(f"there is no kind of run {kind!r}", field="what.kind")
