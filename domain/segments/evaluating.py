"""Works out who enters a segment and who leaves it, in one look at all customers, and publishes just that.

Two steps: the differences are put aside, then published at one instant. Between them the segment may
have been changed, or published by another run, or this one was lost and taken up again later; then they
are worked out anew.
"""

from datetime import datetime
from typing import Any

from domain import db, journal, runs, timekeeping, workspaces
from domain.journal import Entry
from domain.runs import Work
from domain.segments import versions
from domain.segments.defining import KIND, evaluate
from domain.segments.models import BUILT_IN, Segment, SegmentKind, SegmentPublication
from domain.segments.rules.compiling import Compiled
from domain.segments.rules.documents import condition_of
from domain.segments.rules.trees import compiled
from domain.segments.statements import plan_for_whole_tables

BATCH = 1000
"""Customers of one journal line at most."""
_MEMBER = """LEFT JOIN memberships m ON m.workspace_id = :workspace AND m.segment_id = :segment
  AND m.customer_id = c.id AND m.left_at IS NULL"""


def wanted(found: Compiled) -> str:
    """Whether customer c is to be a member: never one who is not counted (C-08)."""
    return f"(c.excluded = :no AND {found.holds})"


def picked(as_of: datetime, among: str = "") -> Compiled:
    """The same for a list made by hand."""
    found = Compiled(as_of, timekeeping.zone("UTC"), among=among)
    alias = found.table("segment_picks", "", [("segment_id = :segment", None)], "")
    found.holds = f"({alias}.customer_id IS NOT NULL)"
    return found


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def perform(work: Work) -> dict[str, Any]:
    """Publish one own segment of a workspace, or all of them, each behind those it asks about.

    Readers see a segment's old members until its publishing commits. What is cancelled or killed
    between two segments leaves each as it was or as it is to be. Nothing changed: nothing is written
    but that it was looked at.
    """
    if not work.cursor:
        one = work.args.get("segment_id")
        order = [one] if one is not None else await everything(work.workspace_id)
        cursor = {"rest": order, "staged": None, "entered": 0, "departed": 0, "segments": len(order)}
        await work.checkpoint(cursor=cursor, done=0, total=len(order), unit="segments")
    while rest := work.cursor["rest"]:
        if work.cursor["staged"] is None:
            await _stage(work, rest[0])
        else:
            await _publish(work, rest[0])
    return {name: work.cursor[name] for name in ("segments", "entered", "departed")}


async def everything(workspace_id: int) -> list[int]:
    """All own segments that stand, each behind those that it asks about."""
    lists = await Segment.filter(
        workspace_id=workspace_id, kind=SegmentKind.STATIC, archived_at__isnull=True
    ).order_by("id")
    return [each.id for each in lists] + versions.in_order(await versions.needs(workspace_id))


async def _seen(workspace_id: int, segment_id: int) -> dict[str, int]:
    """By what a segment is known to be the one that was looked at."""
    version = (await versions.current(workspace_id, [segment_id]))[segment_id]
    last = (await versions.last_publications(workspace_id, [segment_id])).get(segment_id)
    return {"number": version.number, "last": last.id if last else 0}


async def _stage(work: Work, segment_id: int) -> None:
    workspace = await workspaces.get(work.workspace_id)
    of = {"workspace": workspace.id, "segment": segment_id}
    async with work.step(message="comparing") as step:
        segment = await Segment.load(workspace.id, segment_id)
        assert segment.kind not in BUILT_IN
        if segment.archived_at is not None:
            step.cursor = {**work.cursor, "rest": work.cursor["rest"][1:]}
            return
        began, as_of = timekeeping.machine_now(), await timekeeping.now(workspace.id)
        seen = await _seen(workspace.id, segment_id)
        if segment.kind is SegmentKind.STATIC:
            found = picked(as_of)
        else:
            version = (await versions.current(workspace.id, [segment_id]))[segment_id]
            found = compiled(condition_of(version.document["rule"]), as_of, timekeeping.zone(workspace.zone))
        await plan_for_whole_tables()
        # What other runs left behind goes too, but never what one at work has put aside.
        await db.execute(
            """DELETE FROM segment_moves WHERE workspace_id = :workspace AND segment_id = :segment
               AND (run_id = :run OR run_id IN (SELECT id FROM runs WHERE workspace_id = :workspace
                 AND state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')))""",
            run=work.run.id,
            **of,
        )
        joins = " ".join(found.joins)
        moves = await db.execute(
            f"""INSERT INTO segment_moves (workspace_id, run_id, segment_id, customer_id, enters)
                SELECT :workspace, :run, :segment, c.id, m.id IS NULL
                FROM customers c {joins} {_MEMBER}
                WHERE c.workspace_id = :workspace AND {wanted(found)} <> (m.id IS NOT NULL)""",
            run=work.run.id,
            no=False,
            **of,
            **found.params,
        )
        took = int((timekeeping.machine_now() - began).total_seconds() * 1000)
        staged = {**seen, "fence": work.run.fence, "as_of": as_of.isoformat(), "moves": moves, "took": took}
        step.cursor = {**work.cursor, "staged": staged}


async def _publish(work: Work, segment_id: int) -> None:
    workspace_id, cursor = work.workspace_id, work.cursor
    staged = cursor["staged"]
    async with work.step(message="publishing") as step:
        lock = "FOR UPDATE" if db.is_postgres() else ""
        held = await db.rows(
            f"SELECT archived_at FROM segments WHERE workspace_id = :workspace AND id = :segment {lock}",
            workspace=workspace_id,
            segment=segment_id,
        )
        seen = await _seen(workspace_id, segment_id)
        known = (seen["number"], seen["last"], work.run.fence) == (
            staged["number"],
            staged["last"],
            staged["fence"],
        )
        if not known or held[0]["archived_at"] is not None:
            step.cursor = {**cursor, "staged": None}
            return
        as_of = db.instant_of(staged["as_of"])
        entered, departed = await move(work, segment_id, as_of, staged["number"])
        assert entered + departed == staged["moves"]
        members = await db.value(
            """SELECT COUNT(*) FROM memberships WHERE workspace_id = :workspace AND segment_id = :segment
               AND left_at IS NULL""",
            workspace=workspace_id,
            segment=segment_id,
        )
        await SegmentPublication.create(
            workspace_id=workspace_id,
            segment_id=segment_id,
            run_id=work.run.id,
            number=staged["number"],
            as_of=as_of,
            computed_at=timekeeping.machine_now(),
            milliseconds=staged["took"],
            members=members,
            entered=entered,
            departed=departed,
        )
        await tell(work, segment_id, entered, departed)
        rest = cursor["rest"][1:]
        if entered or departed:
            for other, asked in (await versions.needs(workspace_id)).items():
                if segment_id in asked and other not in rest:
                    await evaluate(work.who, other)
        step.cursor = {
            **cursor,
            "rest": rest,
            "staged": None,
            "entered": cursor["entered"] + entered,
            "departed": cursor["departed"] + departed,
        }
        step.done = cursor["segments"] - len(rest)


async def move(work: Work, segment_id: int, as_of: datetime, number: int) -> tuple[int, int]:
    """Write the moves that were put aside into the membership; how many entered, and how many left."""
    of = {"workspace": work.workspace_id, "segment": segment_id, "run": work.run.id}
    departed = await db.execute(
        """UPDATE memberships SET left_at = :as_of, left_run_id = :run
           WHERE workspace_id = :workspace AND segment_id = :segment AND left_at IS NULL
             AND customer_id IN (SELECT customer_id FROM segment_moves
               WHERE workspace_id = :workspace AND segment_id = :segment AND run_id = :run
                 AND enters = :no)""",
        as_of=as_of,
        no=False,
        **of,
    )
    entered = await db.execute(
        """INSERT INTO memberships
             (workspace_id, segment_id, customer_id, entered_at, entered_run_id, reason)
           SELECT workspace_id, segment_id, customer_id, :as_of, run_id, :reason FROM segment_moves
           WHERE workspace_id = :workspace AND segment_id = :segment AND run_id = :run
             AND enters = :yes ORDER BY customer_id""",
        as_of=as_of,
        reason=f"version {number}",
        yes=True,
        **of,
    )
    return entered, departed


async def tell(work: Work, segment_id: int, entered: int, departed: int) -> None:
    """A line that it was published, and one for each batch of those who entered and who left.

    A line names a batch by its first and last customer; `moved` reads who they are. What was put aside
    goes.
    """
    data = {"entered": entered, "departed": departed}
    entries = [Entry("segment.published", segment_id, data=data)]
    for enters, name in ((True, "segment.entered"), (False, "segment.left")):
        batches = await db.rows(
            """SELECT MIN(customer_id) AS first, MAX(customer_id) AS last, COUNT(*) AS customers FROM (
                 SELECT customer_id, (ROW_NUMBER() OVER (ORDER BY customer_id) - 1) / :batch AS batch
                 FROM segment_moves WHERE workspace_id = :workspace AND segment_id = :segment
                   AND run_id = :run AND enters = :enters) placed
               GROUP BY batch ORDER BY batch""",
            workspace=work.workspace_id,
            segment=segment_id,
            run=work.run.id,
            enters=enters,
            batch=BATCH,
        )
        entries += [Entry(name, segment_id, data={"run": work.run.id, **batch}) for batch in batches]
    await journal.write(work.who, *entries)
    await db.execute(
        """DELETE FROM segment_moves WHERE workspace_id = :workspace AND segment_id = :segment
           AND run_id = :run""",
        workspace=work.workspace_id,
        segment=segment_id,
        run=work.run.id,
    )


async def moved(
    workspace_id: int, segment_id: int, run_id: int, first: int, last: int, *, entered: bool
) -> list[int]:
    """The customers of a batch that a line of the journal tells of, in the order of their ids."""
    column = "entered_run_id" if entered else "left_run_id"
    found = await db.rows(
        f"""SELECT customer_id FROM memberships WHERE workspace_id = :workspace AND {column} = :run
            AND segment_id = :segment AND customer_id BETWEEN :first AND :last ORDER BY customer_id""",
        workspace=workspace_id,
        run=run_id,
        segment=segment_id,
        first=first,
        last=last,
    )
    return [row["customer_id"] for row in found]
