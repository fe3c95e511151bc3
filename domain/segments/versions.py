"""What a workspace's own segments hold, version by version, and what of it was published last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.queryset import QuerySet

from domain import db, timekeeping
from domain.segments.models import BUILT_IN, Segment, SegmentKind, SegmentPublication, SegmentVersion
from domain.segments.queries import STALE_AFTER, latest
from domain.segments.rules.conditions import Condition, segments_of
from domain.segments.rules.documents import condition_of


@dataclass(frozen=True)
class Published:
    """What a segment's members go back to: a run, as of when, of which version, and whether that is stale."""

    run_id: int
    number: int | None
    as_of: datetime
    computed_at: datetime
    took: timedelta
    entered: int
    departed: int
    stale: bool
    exact_as_of: datetime
    """As of when everybody was looked at last."""
    quick: bool = False
    """Whether only those were looked at of whom something had changed."""


async def current(workspace_id: int, segment_ids: Collection[int]) -> dict[int, SegmentVersion]:
    """The latest version of each of these that has any."""
    if not segment_ids:
        return {}
    found = await db.rows(
        """SELECT v.* FROM segment_versions v
           WHERE v.workspace_id = :workspace AND v.segment_id IN :ids AND v.number = (
             SELECT MAX(l.number) FROM segment_versions l
             WHERE l.workspace_id = v.workspace_id AND l.segment_id = v.segment_id)""",
        workspace=workspace_id,
        ids=list(segment_ids),
    )
    return {version.segment_id: version for version in db.hydrate(SegmentVersion, found)}


def history(workspace_id: int) -> QuerySet[SegmentVersion]:
    """All versions of a workspace's segments: by whom what they hold was changed, and when."""
    return SegmentVersion.filter(workspace_id=workspace_id)


async def has_own(workspace_id: int) -> bool:
    """Whether a workspace has segments besides those that every one has, and that are not archived."""
    return await Segment.exists(
        workspace_id=workspace_id, kind__not_in=list(BUILT_IN), archived_at__isnull=True
    )


async def rules(workspace_id: int) -> dict[int, Condition]:
    """The condition of every rule segment that stands, by its id and in the order in which they were made."""
    own = await Segment.filter(
        workspace_id=workspace_id, kind=SegmentKind.RULE, archived_at__isnull=True
    ).order_by("id")
    ids = [segment.id for segment in own]
    versions = await current(workspace_id, ids)
    return {segment_id: condition_of(versions[segment_id].document["rule"]) for segment_id in ids}


def in_order(needs: dict[int, set[int]]) -> list[int]:
    """Each segment behind those whose members it asks about; there are no cycles."""
    done: dict[int, None] = {}

    def visit(segment_id: int) -> None:
        for needed in sorted(needs.get(segment_id, ())):
            if needed in needs and needed not in done:
                visit(needed)
        done[segment_id] = None

    for segment_id in needs:
        if segment_id not in done:
            visit(segment_id)
    return list(done)


def leads_back(needs: dict[int, set[int]], start: int) -> bool:
    """Whether a segment asks about itself, be it through others."""
    seen: set[int] = set()
    rest = list(needs.get(start, ()))
    while rest:
        segment_id = rest.pop()
        if segment_id == start:
            return True
        if segment_id not in seen:
            seen.add(segment_id)
            rest.extend(needs.get(segment_id, ()))
    return False


async def needs(workspace_id: int) -> dict[int, set[int]]:
    """Which segments each rule segment asks about."""
    return {segment_id: segments_of(rule) for segment_id, rule in (await rules(workspace_id)).items()}


async def last_publications(
    workspace_id: int, ids: Collection[int], *, exact: bool = False
) -> dict[int, SegmentPublication]:
    """How each of these was published last; `exact`: of those publishings that looked at everybody."""
    if not ids:
        return {}
    found = await db.rows(
        f"""SELECT p.* FROM segment_publications p
            WHERE p.workspace_id = :workspace AND p.segment_id IN :ids AND p.id = (
              SELECT MAX(l.id) FROM segment_publications l
              WHERE l.workspace_id = p.workspace_id AND l.segment_id = p.segment_id
                {"AND l.exact = :yes" if exact else ""})""",
        workspace=workspace_id,
        **({"yes": True} if exact else {}),
        ids=list(ids),
    )
    return {each.segment_id: each for each in db.hydrate(SegmentPublication, found)}


async def published(workspace_id: int, ids: Collection[int]) -> dict[int, Published]:
    """How fresh the members of these segments are; nothing for one that was never published.

    Stale is what is older than a night and a half, and a rule that has changed since.
    """
    segments = await Segment.by_ids(workspace_id, list(ids))
    now = await timekeeping.now(workspace_id)
    own = [each.id for each in segments.values() if each.kind not in BUILT_IN]
    versions = await current(workspace_id, own)
    last_ones = await last_publications(workspace_id, own)
    quick = [each.segment_id for each in last_ones.values() if not each.exact]
    whole_ones = {**last_ones, **await last_publications(workspace_id, quick, exact=True)}
    found = {
        segment_id: Published(
            run_id=last.run_id,
            number=last.number,
            as_of=last.as_of,
            computed_at=last.computed_at,
            took=timedelta(milliseconds=last.milliseconds),
            entered=last.entered,
            departed=last.departed,
            stale=last.number != versions[segment_id].number
            or now - whole_ones[segment_id].as_of > STALE_AFTER,
            quick=not last.exact,
            exact_as_of=whole_ones[segment_id].as_of,
        )
        for segment_id, last in last_ones.items()
    }
    if len(own) < len(segments) and (whole := await latest(workspace_id)) is not None:
        counted = await _moved(workspace_id, [i for i in segments if i not in own], whole.run_id)
        for segment_id in segments:
            if segment_id not in own:
                found[segment_id] = Published(
                    run_id=whole.run_id,
                    number=None,
                    as_of=whole.as_of,
                    computed_at=whole.computed_at,
                    took=timedelta(),
                    entered=counted["entered"].get(segment_id, 0),
                    departed=counted["left"].get(segment_id, 0),
                    stale=now - whole.as_of > STALE_AFTER,
                    exact_as_of=whole.as_of,
                )
    return found


async def _moved(workspace_id: int, ids: list[int], run_id: int) -> dict[str, dict[int, int]]:
    """How many entered and left segments by a run."""
    counted: dict[str, dict[int, int]] = {}
    for way in ("entered", "left"):
        rows = await db.rows(
            f"""SELECT segment_id, COUNT(*) AS customers FROM memberships
                WHERE workspace_id = :workspace AND {way}_run_id = :run AND segment_id IN :ids
                GROUP BY segment_id""",
            workspace=workspace_id,
            run=run_id,
            ids=ids,
        )
        counted[way] = {row["segment_id"]: row["customers"] for row in rows}
    return counted
