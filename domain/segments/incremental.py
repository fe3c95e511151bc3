"""The passes that start from what was published: QUICK for those who changed, EXACT with ranks for all.

Each is one transaction: killed or cancelled anywhere, it has changed nothing, and whom it had looked at is
marked still. Where there is nothing to start from (no publication yet, or other lines), or where so many
changed that reading all is cheaper, the full recompute does it.
"""

from typing import Any

from domain import runs, timekeeping, workspaces
from domain.runs import Run, Work
from domain.segments import boundaries, following, marks, publishing, recompute, statements
from domain.segments.models import RecomputeMode, Segmentation
from domain.segments.queries import latest, thresholds

QUICK, EXACT = "segmentation_quick", "segmentation_exact"
CHUNK = 2000
"""Customers of one statement of the quick pass."""
FEW = 1000
"""So many marked customers are never too many for a pass that looks at each."""
MANY = 50_000
"""Up to so many customers are published by looking each of them up, more by reading whole tables."""
ENOUGH = 50
"""Everybody is ranked anew once more than one in so many has moved since."""


@runs.kind(QUICK, queue="recompute", schedulable=True, unique_key="all")
async def perform_quick(work: Work) -> dict[str, Any]:
    """Place anew those who are marked and those for whom a boundary has passed; ranks stay as they are."""
    return await _perform(work, RecomputeMode.QUICK)


@runs.kind(EXACT, queue="recompute", schedulable=True, unique_key="all")
async def perform_exact(work: Work) -> dict[str, Any]:
    """The same, then rank everybody anew from the running figures; afterwards it is as if done in full."""
    return await _perform(work, RecomputeMode.EXACT)


async def _perform(work: Work, mode: RecomputeMode) -> dict[str, Any]:
    published = await Segmentation.get_or_none(workspace_id=work.workspace_id, run_id=work.run.id)
    if published is None and not work.cursor:
        published = await _pass(work, mode)
    if published is None:
        return await recompute.place_all(work)
    return {"customers": published.customers, "changed": published.changed}


async def _pass(work: Work, mode: RecomputeMode) -> Segmentation | None:
    """One pass; none where it is for the full recompute to do."""
    workspace_id, run_id = work.workspace_id, work.run.id
    async with work.step(done=0, unit="customers", message="placing") as step:
        await publishing.alone(workspace_id)
        last, lines = await latest(workspace_id), await thresholds(workspace_id)
        if last is None or not publishing.continues(last, lines.number):
            return None
        assert last.ranked is not None and last.moved is not None
        workspace = await workspaces.get(workspace_id)
        as_of, tz = await timekeeping.now(workspace_id), timekeeping.zone(workspace.zone)
        await statements.drop_drafts(workspace_id)
        await marks.take(workspace_id, run_id)
        most = max(FEW, last.customers // 4)
        ids = await marks.taken(
            workspace_id, run_id, marks.crossed(lines.thresholds, last.as_of, as_of, tz), most
        )
        if len(ids) > most:
            return None
        for start in range(0, len(ids), CHUNK):
            part = ids[start : start + CHUNK]
            await statements.stage_some(workspace_id, run_id, lines.thresholds, as_of, tz, part, last.ranked)
        customers = last.customers + await statements.growth(workspace_id, run_id)
        quick = mode is RecomputeMode.QUICK
        counts = await statements.counts_after(workspace_id, run_id, last.counts) if quick else {}
        if quick and len(ids) <= MANY:
            await statements.plan_for_few()
        else:
            await statements.plan_for_whole_tables()
        await statements.publish(workspace_id, run_id)
        if not quick:
            await statements.stage_ranks(workspace_id, run_id, lines.thresholds)
            await statements.publish(workspace_id, run_id)
            counts = await statements.counts(workspace_id)
        changed = await statements.drafted(workspace_id, run_id)
        if changed:
            await statements.move_members(workspace_id, run_id, as_of, publishing.REASON)
        if changed and not quick:
            await boundaries.store(workspace_id, lines.thresholds, customers)
        elif changed:
            await following.mark_placed(workspace_id, run_id)
        moved = last.moved + changed if quick else 0
        published = await publishing.record(
            work,
            mode,
            as_of=as_of,
            thresholds_number=lines.number,
            customers=customers,
            counts=counts,
            changed=changed,
            ranked=last.ranked if quick else customers,
            ranked_as_of=last.ranked_as_of if quick else as_of,
            marked=len(ids),
            moved=moved,
        )
        if moved > max(FEW, customers // ENOUGH):
            await ask(work, EXACT)
        step.done = step.total = customers
    return published


async def ask(work: Work, kind: str) -> Run:
    return await runs.enqueue(work.who, kind, unique_key="all")
