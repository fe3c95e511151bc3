"""Makes a workspace's own segments and changes them; each change of what they hold is a version."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain import db, journal, runs, texts, timekeeping, workspaces
from domain.access import BUILDERS, PLANNERS, Principal
from domain.errors import DomainError, Duplicate, ErrorCode, Forbidden, Invalid, Problem, Reasons
from domain.journal import Entry
from domain.runs import Run
from domain.segments import groups, versions
from domain.segments.models import BUILT_IN, Segment, SegmentKind, SegmentVersion
from domain.segments.rules.checks import Place, camel
from domain.segments.rules.conditions import Condition, Member, Owned, placed, segments_of
from domain.segments.rules.documents import FORM, condition_of, document_of

KIND = "segments_evaluate"
MAKERS = PLANNERS | BUILDERS
"""Who may make segments: a planner designs them (S0-69), the data group works with them (S0-71)."""
MOST_SEGMENTS = 500
LONGEST_NAME = 120
_KEY = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)


class BuiltIn(DomainError):
    """The recompute of all placements fills this segment; it is not the workspace's own to change."""

    code = ErrorCode.CLOSED


class Archived(DomainError):
    """The segment is kept for its history only, until it is restored."""

    code = ErrorCode.CLOSED


class Cycle(DomainError):
    """A segment would ask about its own members."""

    code = ErrorCode.INVALID


def check_maker(who: Principal) -> None:
    if who.role not in MAKERS:
        raise Forbidden("only those who design segments change them")


async def create(
    who: Principal,
    key: str,
    *,
    name_en: str | None = None,
    name_zh: str | None = None,
    rule: Mapping[str, Any] | None = None,
) -> tuple[Segment, Run]:
    """A segment by a rule, or without one a list made by hand; and the run that publishes its members.

    The rule is a document, as `condition_of` reads it. Everything that will not do is refused together.
    """
    check_maker(who)
    reasons, condition = Reasons(), None
    names = _names(name_en, name_zh, reasons)
    with reasons.gathered():
        if not _KEY.fullmatch(key):
            raise Invalid(
                "a key is a capital letter, then up to 63 capitals, digits and underscores", field="input.key"
            )
        if key in groups.GROUPS:
            raise Duplicate("a segment that every workspace has bears this key", field="input.key")
    with reasons.gathered():
        if rule is not None:
            condition = condition_of(rule, ("input", "rule"))
            await check_names(who.workspace_id, condition, ("input", "rule"))
    reasons.refuse()
    async with db.transaction():
        await workspaces.hold(who.workspace_id)  # one at a time, so that no two changes close a circle
        await check_standing(who.workspace_id, condition, ("input", "rule"))
        own = Segment.filter(workspace_id=who.workspace_id).exclude(kind__in=list(BUILT_IN))
        if await Segment.exists(workspace_id=who.workspace_id, key=key):
            raise Duplicate("another segment has this key", field="input.key")
        standing = await own.count()
        if standing >= MOST_SEGMENTS:
            raise Invalid(
                f"a workspace has at most {MOST_SEGMENTS} segments of its own, there are {standing}"
            )
        segment = await Segment.create(
            workspace_id=who.workspace_id,
            key=key,
            kind=SegmentKind.STATIC if condition is None else SegmentKind.RULE,
            name_en=names[0],
            name_zh=names[1],
            created_at=await timekeeping.now(who.workspace_id),
        )
        await write_version(who, segment.id, _kept(condition))
        await journal.write(who, Entry("segment.created", segment.id, data={"kind": segment.kind.value}))
        run = await evaluate(who, segment.id)
    return segment, run


async def update(
    who: Principal,
    segment_id: int,
    *,
    name_en: str | None = None,
    name_zh: str | None = None,
    rule: Mapping[str, Any] | None = None,
    expected_version: int | None = None,
) -> tuple[Segment, Run | None]:
    """Rename a segment, or give it another rule: then with the run that publishes its members.

    What is left out stays. The same again changes nothing. A rule that asks, be it through other
    segments, about the segment itself is refused.
    """
    check_maker(who)
    reasons, condition = Reasons(), None
    names = {"name_en": name_en, "name_zh": name_zh}
    for name, given in names.items():
        with reasons.gathered():
            if given is not None:
                names[name] = texts.text(given, f"input.{camel(name)}", LONGEST_NAME)
    with reasons.gathered():
        if rule is not None:
            condition = condition_of(rule, ("input", "rule"))
            await check_names(who.workspace_id, condition, ("input", "rule"))
    reasons.refuse()
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        segment = await standing_segment(who, segment_id, expected_version)
        await check_standing(who.workspace_id, condition, ("input", "rule"))
        changed = {
            name: new for name, new in names.items() if new is not None and new != getattr(segment, name)
        }
        run = None
        if condition is not None:
            if segment.kind is not SegmentKind.RULE:
                raise Invalid("the members of this segment are named by hand", field="input.rule")
            needs = await versions.needs(who.workspace_id)
            needs[segment.id] = segments_of(condition)
            if versions.leads_back(needs, segment.id):
                raise Cycle("the rule asks, here or through other segments, about itself", field="input.rule")
            now = (await versions.current(who.workspace_id, [segment.id]))[segment.id]
            if now.document == _kept(condition):
                condition = None
        if not changed and condition is None:
            return segment, None
        await segment.must_change(**changed)
        if condition is not None:
            await write_version(who, segment.id, _kept(condition))
            run = await evaluate(who, segment.id)
        fields = [*changed, *(["rule"] if condition is not None else [])]
        await journal.write(who, Entry("segment.changed", segment.id, data={"fields": fields}))
    return segment, run


async def own_segment(who: Principal, segment_id: int, expected_version: int | None) -> Segment:
    """A segment that is the workspace's to change.

    Raises:
        NotFound, Conflict: there is none, or another version of it by now.
        BuiltIn: every workspace has it.
    """
    segment = await Segment.load(who.workspace_id, segment_id)
    if segment.kind in BUILT_IN:
        raise BuiltIn("every workspace has this segment; the recompute fills it", field="id")
    segment.expect(expected_version)
    return segment


async def standing_segment(who: Principal, segment_id: int, expected_version: int | None) -> Segment:
    """`own_segment`, and refused with `Archived` where it is."""
    segment = await own_segment(who, segment_id, expected_version)
    if segment.archived_at is not None:
        raise Archived("this segment is archived; restore it first", field="id")
    return segment


async def evaluate(who: Principal, segment_id: int | None = None, *, at: datetime | None = None) -> Run:
    """Ask for a segment's members, or those of all own ones, to be worked out and published anew.

    Whoever asks while such a run waits gets that one. It begins at `at`, in machine time, or now.
    """
    key = "all" if segment_id is None else str(segment_id)
    return await runs.enqueue(who, KIND, {"segment_id": segment_id}, unique_key=key, run_at=at)


async def recompute_one(who: Principal, segment_id: int) -> Run:
    """`evaluate` one segment, for those who may; one that every workspace has is not evaluated alone."""
    check_maker(who)
    async with db.transaction():
        segment = await standing_segment(who, segment_id, None)
        return await evaluate(who, segment.id)


async def write_version(who: Principal, segment_id: int, document: dict[str, Any]) -> int:
    """Add a version of what a segment holds; its number. The workspace, or the segment's row, is held."""
    number = await db.value(
        """SELECT COALESCE(MAX(number), 0) + 1 FROM segment_versions
           WHERE workspace_id = :workspace AND segment_id = :segment""",
        workspace=who.workspace_id,
        segment=segment_id,
    )
    await SegmentVersion.create(
        workspace_id=who.workspace_id,
        segment_id=segment_id,
        number=number,
        document=document,
        actor=who.label,
        created_at=await timekeeping.now(who.workspace_id),
    )
    return int(number)


def _kept(condition: Condition | None) -> dict[str, Any]:
    kept: dict[str, Any] = {"form": FORM}
    return kept if condition is None else {**kept, "rule": document_of(condition)}


def _names(name_en: str | None, name_zh: str | None, reasons: Reasons) -> tuple[str, str]:
    """Both names; where one was not given, the other stands for it."""
    found: dict[str, str] = {}
    for field, given in (("nameEn", name_en), ("nameZh", name_zh)):
        with reasons.gathered():
            if given is not None:
                found[field] = texts.text(given, f"input.{field}", LONGEST_NAME)
    with reasons.gathered():
        if name_en is None and name_zh is None:
            raise Invalid("a segment needs a name in one language at least", field="input.nameEn")
    first = next(iter(found.values()), "")
    return found.get("nameEn", first), found.get("nameZh", first)


async def check_names(workspace_id: int, condition: Condition, place: Place) -> None:
    """Refuse a condition that names a segment or a member of staff who is not here, each at its place."""
    problems = []
    known = await Segment.by_ids(workspace_id, sorted(segments_of(condition)))
    for leaf, at in placed(condition, place):
        if isinstance(leaf, Member) and leaf.segment_id not in known:
            problems.append(Problem(ErrorCode.NOT_FOUND, "no such segment", (*at, "segmentId")))
        elif isinstance(leaf, Owned):
            for owner in leaf.owner_ids:
                if await workspaces.find_staff(workspace_id, owner) is None:
                    problems.append(
                        Problem(ErrorCode.NOT_FOUND, "no such member of staff", (*at, "ownerIds"))
                    )
                    break
    if problems:
        raise DomainError.of(problems)


async def check_standing(workspace_id: int, condition: Condition | None, place: Place) -> None:
    """Refuse a rule that asks about an archived segment; the workspace is held."""
    if condition is None:
        return
    known = await Segment.by_ids(workspace_id, sorted(segments_of(condition)))
    problems = [
        Problem(Archived.code, "this segment is archived", (*at, "segmentId"))
        for leaf, at in placed(condition, place)
        if isinstance(leaf, Member) and known[leaf.segment_id].archived_at is not None
    ]
    if problems:
        raise Archived.of(problems)
