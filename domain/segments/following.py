"""Follows what changes of single customers: only they are held against the rules.

A change marks its customer. The clock finds marks that have gathered for a moment and asks for one run,
however many they are. It looks at everybody who is marked and puts down who comes and goes; who does so
because time alone has passed is found by the evaluation of everybody. While that one is at work marks wait,
so that neither undoes what the other has seen.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from domain import db, runs, timekeeping, workspaces
from domain.access import Principal, system
from domain.runs import Overlap, Work
from domain.segments import versions
from domain.segments.defining import KIND, evaluate
from domain.segments.evaluating import everything, move, picked, tell, wanted
from domain.segments.models import Segment, SegmentKind, SegmentPublication, SegmentVersion
from domain.segments.rules.documents import condition_of
from domain.segments.rules.trees import compiled
from domain.workspaces import Workspace

FOLLOW = "segments_follow"
GATHER = timedelta(seconds=5)
"""How long marks gather before they are followed: a run looks at all of them together."""
BATCH = 500
"""Marks of one step."""
AFTER_IMPORT = timedelta(minutes=1)
"""How long an import's batches gather before everybody is looked at."""
_AMONG = "customer_id IN :customers"
_AT_WORK = "('SCHEDULED', 'QUEUED', 'RETRYING', 'RUNNING', 'CANCELLING')"


async def mark(who: Principal, customer_ids: Collection[int]) -> None:
    """Note that something changed of these customers that a rule may ask about.

    In the transaction of the change, or after it. Nothing where a workspace has no segments of its own.
    """
    if not customer_ids:
        return
    await db.execute(
        """INSERT INTO segment_marks (workspace_id, customer_id, marked_at)
           SELECT :workspace, c.id, :now FROM customers c
           WHERE c.workspace_id = :workspace AND c.id IN :customers AND EXISTS (
             SELECT 1 FROM segments s WHERE s.workspace_id = :workspace
               AND s.kind IN ('RULE', 'STATIC') AND s.archived_at IS NULL)""",
        workspace=who.workspace_id,
        customers=sorted(set(customer_ids)),
        now=await timekeeping.now(who.workspace_id),
    )


async def mark_placed(workspace_id: int, run_id: int) -> None:
    """Note whom a pass that looked at some has placed anew, before its drafts are dropped."""
    await db.execute(
        """INSERT INTO segment_marks (workspace_id, customer_id, marked_at)
           SELECT d.workspace_id, d.customer_id, :now FROM placement_drafts d
           JOIN customers c ON c.workspace_id = d.workspace_id AND c.id = d.customer_id
           WHERE d.workspace_id = :workspace AND d.run_id = :run AND EXISTS (
             SELECT 1 FROM segments s WHERE s.workspace_id = :workspace
               AND s.kind IN ('RULE', 'STATIC') AND s.archived_at IS NULL)""",
        workspace=workspace_id,
        run=run_id,
        now=await timekeeping.now(workspace_id),
    )


async def evaluate_soon(who: Principal) -> None:
    """Have everybody looked at in a moment: so many have changed that marks would cost more."""
    if await versions.has_own(who.workspace_id):
        sandbox = (await workspaces.get(who.workspace_id)).sandbox
        await evaluate(who, at=None if sandbox else timekeeping.machine_now() + AFTER_IMPORT)


async def unfollowed(workspace_id: int) -> int:
    """How many changes are still to be followed."""
    return int(
        await db.value(
            "SELECT COUNT(*) FROM segment_marks WHERE workspace_id = :workspace", workspace=workspace_id
        )
    )


async def due_marks(now: datetime, workspace_id: int | None, limit: int) -> list[dict[str, Any]]:
    """Workspaces with marks that have gathered, and no run at work that they would have to wait for.

    Of one sandbox, where nothing gathers, or of all that are none; by the oldest mark of each.
    """
    oldest = "(SELECT {} FROM segment_marks m WHERE m.workspace_id = w.id ORDER BY m.id LIMIT 1)"
    whose = "w.id = :workspace" if workspace_id else "w.sandbox = :no"
    given: dict[str, Any] = {"workspace": workspace_id} if workspace_id else {"no": False}
    return await db.rows(
        f"""SELECT id, workspace_id, due_at FROM (
              SELECT {oldest.format("m.id")} AS id, w.id AS workspace_id,
                {oldest.format("m.marked_at")} AS due_at
              FROM workspaces w WHERE {whose}) waiting
            WHERE due_at <= :until AND NOT EXISTS (
              SELECT 1 FROM runs r WHERE r.workspace_id = waiting.workspace_id
                AND ((r.kind = :follow AND r.state IN {_AT_WORK})
                  OR (r.kind = :evaluate AND r.state IN ('RUNNING', 'CANCELLING'))))
            LIMIT :limit""",
        until=now if workspace_id else now - GATHER,
        follow=FOLLOW,
        evaluate=KIND,
        limit=limit,
        **given,
    )


async def follow(workspace_id: int, mark_id: int, at: datetime) -> bool:
    """Ask for the run that follows all marks of a workspace; one that waits serves them all."""
    await runs.enqueue(system(workspace_id, "timer"), FOLLOW, unique_key="marked")
    return True


async def next_due(workspace_id: int, until: datetime) -> datetime | None:
    """When the oldest mark of a sandbox was made: it is due at once."""
    found = await db.value(
        "SELECT MIN(marked_at) FROM segment_marks WHERE workspace_id = :workspace AND marked_at <= :until",
        workspace=workspace_id,
        until=until,
    )
    return None if found is None else db.instant_of(found)


@runs.kind(FOLLOW, queue="recompute", overlap=Overlap.SKIP, limit=1)
async def perform(work: Work) -> dict[str, Any]:
    """Look at every marked customer, segment by segment, and publish who came and who went.

    A segment that has a new version, or was never published, is left to the evaluation of everybody that
    was asked for with it.
    """
    totals = work.cursor or {"marks": 0, "entered": 0, "departed": 0}
    while True:
        async with work.step(message="following", unit="changes") as step:
            found = await db.rows(
                """SELECT id, customer_id FROM segment_marks WHERE workspace_id = :workspace
                   ORDER BY id LIMIT :most""",
                workspace=work.workspace_id,
                most=BATCH,
            )
            entered, departed = await _look(work, sorted({row["customer_id"] for row in found}))
            last = len(found) < BATCH
            totals = {
                "marks": totals["marks"],
                "entered": totals["entered"] + entered,
                "departed": totals["departed"] + departed,
            }
            # Asked last: one that begins later sees all that was seen here. One that has begun may not,
            # and would put back who was moved: the marks stay, and who they are of is looked at again.
            if await _everybody_is_looked_at(work.workspace_id):
                last = True
            else:
                totals["marks"] += len(found)
                await db.execute(
                    "DELETE FROM segment_marks WHERE workspace_id = :workspace AND id IN :ids",
                    workspace=work.workspace_id,
                    ids=[row["id"] for row in found],
                )
            step.cursor, step.done = totals, totals["marks"]
        if last:
            return totals


async def _everybody_is_looked_at(workspace_id: int) -> bool:
    found = await db.value(
        """SELECT COUNT(*) FROM runs WHERE workspace_id = :workspace AND kind = :kind
           AND state IN ('RUNNING', 'CANCELLING')""",
        workspace=workspace_id,
        kind=KIND,
    )
    return bool(found)


async def _look(work: Work, customer_ids: list[int]) -> tuple[int, int]:
    """Publish the moves of these customers in every segment that was published as it now is."""
    if not customer_ids:
        return 0, 0
    workspace = await workspaces.get(work.workspace_id)
    order = await everything(workspace.id)
    if order:
        lock = "FOR NO KEY UPDATE" if db.is_postgres() else ""
        await db.rows(
            f"SELECT id FROM segments WHERE workspace_id = :workspace AND id IN :ids ORDER BY id {lock}",
            workspace=workspace.id,
            ids=order,
        )
    segments = await Segment.by_ids(workspace.id, order)
    numbered = await versions.current(workspace.id, order)
    last = await versions.last_publications(workspace.id, order)
    totals = [0, 0]
    for segment_id in order:
        before = last.get(segment_id)
        if before is not None and before.number == numbered[segment_id].number:
            moves = await _publish(
                work, workspace, segments[segment_id], numbered[segment_id], before, customer_ids
            )
            totals = [total + moved for total, moved in zip(totals, moves, strict=True)]
    return totals[0], totals[1]


async def _publish(
    work: Work,
    workspace: Workspace,
    segment: Segment,
    version: SegmentVersion,
    before: SegmentPublication,
    customer_ids: list[int],
) -> tuple[int, int]:
    began, as_of = timekeeping.machine_now(), await timekeeping.now(workspace.id)
    if segment.kind is SegmentKind.STATIC:
        found = picked(as_of, _AMONG)
    else:
        condition = condition_of(version.document["rule"])
        found = compiled(condition, as_of, timekeeping.zone(workspace.zone), among=_AMONG)
    moves = await db.execute(
        f"""INSERT INTO segment_moves (workspace_id, run_id, segment_id, customer_id, enters)
            SELECT :workspace, :run, :segment, c.id, m.id IS NULL
            FROM customers c {" ".join(found.joins)}
            LEFT JOIN memberships m ON m.workspace_id = :workspace AND m.segment_id = :segment
              AND m.customer_id = c.id AND m.left_at IS NULL
            WHERE c.workspace_id = :workspace AND c.id IN :customers
              AND {wanted(found)} <> (m.id IS NOT NULL)""",
        workspace=workspace.id,
        run=work.run.id,
        segment=segment.id,
        customers=customer_ids,
        no=False,
        **found.params,
    )
    if not moves:
        return 0, 0
    entered, departed = await move(work, segment.id, as_of, version.number)
    await SegmentPublication.create(
        workspace_id=workspace.id,
        segment_id=segment.id,
        run_id=work.run.id,
        number=version.number,
        as_of=as_of,
        computed_at=timekeeping.machine_now(),
        milliseconds=int((timekeeping.machine_now() - began).total_seconds() * 1000),
        members=before.members + entered - departed,
        entered=entered,
        departed=departed,
        exact=False,
    )
    await tell(work, segment.id, entered, departed)
    return entered, departed
