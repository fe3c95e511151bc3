"""The recompute: works out everybody's placement aside, then publishes all of it at one instant."""

from typing import Any

from domain import db, journal, runs, timekeeping, workspaces
from domain.journal import Entry
from domain.runs import Work
from domain.segments import groups, statements
from domain.segments.models import Segmentation
from domain.segments.queries import latest, thresholds

KIND = "segmentation_recompute"
REASON = "recompute"


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def perform(work: Work) -> dict[str, Any]:
    """Place every customer as of one instant (S4-23).

    Readers see the old placement until the publishing step commits; a run that fails or is cancelled
    before changes nothing. The same data at the same instant again writes no placement and no stay.
    """
    published = await Segmentation.get_or_none(workspace_id=work.workspace_id, run_id=work.run.id)
    if published is None:
        if not await _resumable(work):
            await _stage(work)
        published = await _publish(work)
    return {"customers": published.customers, "changed": published.changed}


async def _resumable(work: Work) -> bool:
    """Whether what an earlier attempt worked out is still whole, and not overtaken by another run."""
    cursor = work.cursor
    if not cursor or await statements.drafted(work.workspace_id, work.run.id) != cursor["customers"]:
        return False
    last = await latest(work.workspace_id)
    return last is None or last.as_of <= db.instant_of(cursor["as_of"])


async def _stage(work: Work) -> None:
    workspace = await workspaces.get(work.workspace_id)
    lines = await thresholds(workspace.id)
    as_of = await timekeeping.now(workspace.id)
    async with work.step(done=0, unit="customers", message="placing") as step:
        await statements.plan_for_whole_tables()
        await statements.drop_drafts(workspace.id)
        step.total = await statements.stage(
            workspace.id, work.run.id, lines.thresholds, as_of, timekeeping.zone(workspace.zone)
        )
        step.cursor = {"as_of": as_of.isoformat(), "thresholds": lines.number, "customers": step.total}


async def _publish(work: Work) -> Segmentation:
    workspace_id, run_id, cursor = work.workspace_id, work.run.id, work.cursor
    as_of = db.instant_of(cursor["as_of"])
    async with work.step(done=cursor["customers"], message="published"):
        await statements.plan_for_whole_tables()
        await groups.ensure(workspace_id)
        changed = await statements.publish(workspace_id, run_id)
        await statements.move_members(workspace_id, run_id, as_of, REASON)
        published = await Segmentation.create(
            workspace_id=workspace_id,
            run_id=run_id,
            as_of=as_of,
            computed_at=timekeeping.machine_now(),
            thresholds_number=cursor["thresholds"],
            customers=cursor["customers"],
            changed=changed,
            counts=await statements.counts(workspace_id),
        )
        await journal.write(
            work.who,
            Entry("segmentation.published", run_id, data={"as_of": as_of.isoformat(), "changed": changed}),
        )
        await statements.drop_drafts(workspace_id)
    return published
