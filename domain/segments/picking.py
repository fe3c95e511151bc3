"""Names the members of a static segment by hand: added, taken out, or put in the place of all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain import customers, db, journal, timekeeping, workspaces
from domain.access import Principal
from domain.errors import Invalid, NotFound, Reasons, Required
from domain.journal import Entry
from domain.runs import Run
from domain.segments.defining import check_maker, check_names, evaluate, standing_segment, write_version
from domain.segments.models import Segment, SegmentKind
from domain.segments.rules.compiling import Compiled
from domain.segments.rules.documents import condition_of
from domain.segments.rules.trees import compiled

MOST_NAMED = 100
MOST_FOUND = 100_000
"""Customers that one change may pick by a condition; beyond, a segment by a rule does it in a run."""


class PickMode(StrEnum):
    """What a change by hand does with those it names."""

    ADD = "ADD"
    REPLACE = "REPLACE"
    REMOVE = "REMOVE"


@dataclass(frozen=True)
class Change:
    """How a list was changed, and the run that publishes it; none where nothing was."""

    segment: Segment
    run: Run | None
    added: int
    removed: int


async def pick(
    who: Principal,
    segment_id: int,
    mode: PickMode,
    *,
    customer_ids: Sequence[int] | None = None,
    where: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
) -> Change:
    """Add these customers, take them out, or put them in the place of all others.

    They are named by id, or found by a condition as they are at this moment. An empty list empties,
    with REPLACE. Customers who are not here are refused, all of the change with them. The same again
    changes nothing and starts no run.
    """
    check_maker(who)
    reasons, found = Reasons(), None
    with reasons.gathered():
        if (customer_ids is None) == (where is None):
            raise Required("name customers by their ids, or by a condition", field="input.customerIds")
    with reasons.gathered():
        if customer_ids is not None:
            await _check_customers(who.workspace_id, customer_ids)
    with reasons.gathered():
        if where is not None:
            condition = condition_of(where, ("input", "where"))
            await check_names(who.workspace_id, condition, ("input", "where"))
            workspace = await workspaces.get(who.workspace_id)
            now = await timekeeping.now(who.workspace_id)
            found = compiled(condition, now, timekeeping.zone(workspace.zone))
    reasons.refuse()
    async with db.transaction():
        segment = await standing_segment(who, segment_id, expected_version)
        if segment.kind is not SegmentKind.STATIC:
            raise Invalid("a rule says who is in this segment", field="id")
        # By its row alone, so that changes of one list come one after the other.
        lock = "FOR UPDATE" if db.is_postgres() else ""
        of = {"workspace": who.workspace_id, "segment": segment.id}
        await db.rows(
            f"SELECT id FROM segments WHERE workspace_id = :workspace AND id = :segment {lock}", **of
        )
        picked, params = await _picked(who.workspace_id, customer_ids, found)
        added = removed = 0
        if mode is not PickMode.ADD:
            side = "IN" if mode is PickMode.REMOVE else "NOT IN"
            removed = await db.execute(
                f"""DELETE FROM segment_picks WHERE workspace_id = :workspace AND segment_id = :segment
                    AND customer_id {side} ({picked})""",
                **of,
                **params,
            )
        if mode is not PickMode.REMOVE:
            added = await db.execute(
                f"""INSERT INTO segment_picks (workspace_id, segment_id, customer_id)
                    SELECT :workspace, :segment, id FROM ({picked}) chosen
                    WHERE NOT EXISTS (SELECT 1 FROM segment_picks p WHERE p.workspace_id = :workspace
                      AND p.segment_id = :segment AND p.customer_id = chosen.id)""",
                **of,
                **params,
            )
        if not added and not removed:
            return Change(segment, None, 0, 0)
        await segment.must_change()
        document = {"mode": mode.value, "added": added, "removed": removed}
        await write_version(who, segment.id, document)
        await journal.write(
            who, Entry("segment.changed", segment.id, data={"fields": ["members"], **document})
        )
        run = await evaluate(who, segment.id)
    return Change(segment, run, added, removed)


async def _check_customers(workspace_id: int, ids: Sequence[int]) -> None:
    if len(ids) > MOST_NAMED:
        raise Invalid(f"at most {MOST_NAMED} customers, got {len(ids)}", field="input.customerIds")
    known = await customers.by_ids(workspace_id, list(ids))
    if set(ids) - known.keys():
        raise NotFound("no such customer", field="input.customerIds")


async def _picked(
    workspace_id: int, ids: Sequence[int] | None, found: Compiled | None
) -> tuple[str, dict[str, Any]]:
    """A query for the ids of those who are meant, with its parameters."""
    if found is None:
        return "SELECT id FROM customers WHERE workspace_id = :workspace AND id IN :ids", {
            "ids": list(ids or ())
        }
    query = f"""SELECT c.id FROM customers c {" ".join(found.joins)}
                WHERE c.workspace_id = :workspace AND c.excluded = :no AND {found.holds}"""
    params = {**found.params, "no": False}
    several = await db.value(
        f"SELECT COUNT(*) FROM ({query} LIMIT :most) chosen",
        workspace=workspace_id,
        most=MOST_FOUND + 1,
        **params,
    )
    if several > MOST_FOUND:
        raise Invalid(
            f"a change by hand picks at most {MOST_FOUND:,} customers, and more were found; "
            "a segment by a rule takes any number",
            field="input.where",
        )
    return query, params
