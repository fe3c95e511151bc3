"""Puts a workspace's own segment away with its history and its members, and takes it up again."""

from collections.abc import Awaitable, Callable

from domain import db, journal, timekeeping, workspaces
from domain.access import Principal
from domain.errors import DomainError, ErrorCode, NotFound, Problem
from domain.journal import Entry
from domain.runs import Run
from domain.segments import versions
from domain.segments.defining import Archived, check_maker, evaluate, own_segment
from domain.segments.models import Segment, SegmentKind
from domain.segments.rules.conditions import segments_of
from domain.segments.rules.documents import condition_of

Uses = Callable[[int, int], Awaitable[str | None]]
_USERS: list[Uses] = []


class InUse(DomainError):
    """Something still works with the segment."""

    code = ErrorCode.CONFLICT


def used_by(find: Uses) -> Uses:
    """Declare, for a later concept, what of it uses a segment of a workspace: asked before it is archived.

    The answer is what the refusal says, or none.
    """
    _USERS.append(find)
    return find


@used_by
async def _asked_about(workspace_id: int, segment_id: int) -> str | None:
    asking = [other for other, asked in (await versions.needs(workspace_id)).items() if segment_id in asked]
    if not asking:
        return None
    found = await Segment.by_ids(workspace_id, asking)
    return f"the rules of {', '.join(sorted(each.key for each in found.values()))} ask about it"


async def archive(who: Principal, segment_id: int, expected_version: int | None = None) -> Segment:
    """Keep a segment for its history only: its members stay as they are and are worked out no more.

    Archiving again changes nothing. Refused while a rule asks about it, or anything else uses it.
    """
    check_maker(who)
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        segment = await own_segment(who, segment_id, expected_version)
        if segment.archived_at is not None:
            return segment
        await segment.must_change(archived_at=await timekeeping.now(who.workspace_id))
        # Its row is held from here on: whoever begins to use it waits, and then finds it archived.
        found = [await find(who.workspace_id, segment.id) for find in _USERS]
        problems = [Problem(InUse.code, reason, ("id",)) for reason in found if reason is not None]
        if problems:
            raise InUse.of(problems)
        await journal.write(who, Entry("segment.archived", segment.id))
    return segment


async def restore(
    who: Principal, segment_id: int, expected_version: int | None = None
) -> tuple[Segment, Run | None]:
    """Take an archived segment up again, with the run that publishes who came and went meanwhile.

    Restoring one that stands changes nothing. Refused while its rule asks about an archived one.
    """
    check_maker(who)
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        segment = await own_segment(who, segment_id, expected_version)
        if segment.archived_at is None:
            return segment, None
        if segment.kind is SegmentKind.RULE:
            version = (await versions.current(who.workspace_id, [segment.id]))[segment.id]
            asked = await Segment.by_ids(
                who.workspace_id, sorted(segments_of(condition_of(version.document["rule"])))
            )
            away = sorted(each.key for each in asked.values() if each.archived_at is not None)
            if away:
                raise Archived(f"its rule asks about {', '.join(away)}, archived too", field="id")
        await segment.must_change(archived_at=None)
        await journal.write(who, Entry("segment.restored", segment.id))
        run = await evaluate(who, segment.id)
    return segment, run


async def hold_standing(workspace_id: int, segment_id: int, field: str) -> None:
    """Keep a segment from being archived until the running transaction, which begins to use it, ends.

    Raises:
        NotFound: there is none.
        Archived: it is archived.
    """
    assert db.in_transaction()
    lock = "FOR SHARE" if db.is_postgres() else ""
    row = await db.one(
        f"SELECT archived_at FROM segments WHERE workspace_id = :workspace AND id = :segment {lock}",
        workspace=workspace_id,
        segment=segment_id,
    )
    if row is None:
        raise NotFound("no such segment", field=field)
    if row["archived_at"] is not None:
        raise Archived("this segment is archived", field=field)
