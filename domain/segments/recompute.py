"""The full recompute: works out everybody's placement aside, then publishes all of it at one instant."""

from typing import Any

from domain import db, runs, timekeeping, workspaces
from domain.runs import Work
from domain.segments import boundaries, groups, marks, publishing, statements
from domain.segments.models import RecomputeMode, Segmentation
from domain.segments.queries import latest, thresholds

KIND = "segmentation_recompute"


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def perform(work: Work) -> dict[str, Any]:
    """Place every customer as of one instant, from the raw orders (S4-23).

    Readers see the old placement until the publishing step commits; a run that fails or is cancelled
    before changes nothing. The same data at the same instant again writes no placement and no stay.
    """
    return await place_all(work)


async def place_all(work: Work) -> dict[str, Any]:
    """What the run does, also for a pass that cannot start from an earlier one."""
    published = await Segmentation.get_or_none(workspace_id=work.workspace_id, run_id=work.run.id)
    while published is None:
        if not await _resumable(work):
            await _stage(work)
        published = await _publish(work)
    return {"customers": published.customers, "changed": published.changed}


async def _resumable(work: Work) -> bool:
    """Whether what an earlier attempt worked out is still whole, and not overtaken by another run."""
    cursor = work.cursor
    if not cursor or await statements.drafted(work.workspace_id, work.run.id) != cursor.get("drafts"):
        return False
    last = await latest(work.workspace_id)
    return bool(cursor["basis"] == (last.id if last else 0))


async def _stage(work: Work) -> None:
    workspace_id, run_id = work.workspace_id, work.run.id
    async with work.step(done=0, unit="customers", message="placing") as step:
        await publishing.alone(workspace_id)
        workspace, lines = await workspaces.get(workspace_id), await thresholds(workspace_id)
        as_of, tz = await timekeeping.now(workspace_id), timekeeping.zone(workspace.zone)
        last = await latest(workspace_id)
        await statements.plan_for_whole_tables()
        await statements.drop_drafts(workspace_id)
        # Before the orders are read: what is written meanwhile stays marked, and is looked at once more.
        follows = last is not None and publishing.continues(last, lines.number)
        await (marks.take(workspace_id, run_id) if follows else marks.forget(workspace_id))
        await statements.stage(workspace_id, run_id, lines.thresholds, as_of, tz)
        drift = None
        if last is not None and follows:
            unseen = marks.crossed(lines.thresholds, last.as_of, as_of, tz)
            drift = await statements.drift(workspace_id, run_id, unseen)
        step.total = await statements.placed(workspace_id) + await statements.growth(workspace_id, run_id)
        step.cursor = {
            "as_of": as_of.isoformat(),
            "thresholds": lines.number,
            "customers": step.total,
            "drafts": await statements.drafted(workspace_id, run_id),
            "basis": last.id if last else 0,
            "drift": drift,
        }


async def _publish(work: Work) -> Segmentation | None:
    """Publish what was worked out; none where another pass was quicker, and it is to be done anew."""
    workspace_id, run_id, cursor = work.workspace_id, work.run.id, work.cursor
    as_of, n = db.instant_of(cursor["as_of"]), cursor["customers"]
    async with work.step(done=n, message="published") as step:
        await publishing.alone(workspace_id)
        if not await _resumable(work):
            step.cursor, step.done = {}, 0
            return None
        await statements.plan_for_whole_tables()
        await groups.ensure(workspace_id)
        last = await latest(workspace_id)
        lines = (await thresholds(workspace_id, cursor["thresholds"])).thresholds
        await statements.publish(workspace_id, run_id)
        if cursor["drafts"]:
            await statements.move_members(workspace_id, run_id, as_of, publishing.REASON)
        if cursor["drafts"] or last is None or not publishing.continues(last, cursor["thresholds"]):
            await boundaries.store(workspace_id, lines, n)
        return await publishing.record(
            work,
            RecomputeMode.FULL,
            as_of=as_of,
            thresholds_number=cursor["thresholds"],
            customers=n,
            counts=await statements.counts(workspace_id),
            changed=cursor["drafts"],
            ranked=n,
            ranked_as_of=as_of,
            marked=n,
            moved=0,
            drift=cursor["drift"],
        )
