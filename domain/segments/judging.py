"""Says of one customer why they are in a segment or not: each condition, its value, its line, whether met."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import customers, db, money, timekeeping, workspaces
from domain.access import Principal
from domain.errors import Invalid
from domain.segments import presets, versions
from domain.segments.models import BUILT_IN, Membership, Segment, SegmentKind
from domain.segments.queries import thresholds
from domain.segments.rules.checks import Place
from domain.segments.rules.compiling import Asked, Compiled, Shown
from domain.segments.rules.conditions import AllOf, AnyOf, Condition, Not
from domain.segments.rules.documents import condition_of
from domain.segments.rules.trees import compiled
from domain.workspaces import Workspace


@dataclass(frozen=True)
class Judged:
    """One line of an explanation: a single test, or what joins those below it."""

    place: Place
    name: str
    value: str | None
    threshold: str
    met: bool


@dataclass(frozen=True)
class Verdict:
    """Whether a customer fits a segment's rule as of now, and whether they are a published member."""

    as_of: datetime
    fits: bool
    since: datetime | None
    """Since when they are a member; none if they are not."""
    lines: Sequence[Judged]


async def _rules(workspace_id: int, ids: Collection[int]) -> dict[int, Condition]:
    """The conditions that segments go by; nothing for cells, tiers and lists made by hand."""
    found = await Segment.by_ids(workspace_id, list(ids))
    own = [each.id for each in found.values() if each.kind is SegmentKind.RULE]
    rules = {
        segment_id: condition_of(version.document["rule"])
        for segment_id, version in (await versions.current(workspace_id, own)).items()
    }
    built_in = [each for each in found.values() if each.kind is SegmentKind.PRESET]
    if built_in:
        lines = (await thresholds(workspace_id)).thresholds
        rules |= {each.id: condition_of(presets.PRESETS[each.key].rule(lines)) for each in built_in}
    return rules


async def rule_lines(workspace_id: int, ids: Collection[int]) -> dict[int, list[Judged]]:
    """The rule of each of these segments line by line, of no customer: nothing is found, nothing met."""
    workspace = await workspaces.get(workspace_id)
    as_of = await timekeeping.now(workspace_id)
    found: dict[int, list[Judged]] = {segment_id: [] for segment_id in ids}
    for segment_id, rule in (await _rules(workspace_id, ids)).items():
        tests = _compiled(rule, workspace, as_of).tests
        said = [Judged(test.place, test.name, None, test.threshold, False) for test in tests]
        found[segment_id] = _joined(rule, said, ())
    return found


def _compiled(rule: Condition, workspace: Workspace, as_of: datetime) -> Compiled:
    return compiled(
        rule,
        as_of,
        timekeeping.zone(workspace.zone),
        lambda minor: money.shown(minor, workspace.currency),
        among="customer_id = :customer",
    )


async def judge(who: Principal, segment_id: int, customer_id: int) -> Verdict:
    """Hold one customer against a segment's rule as of now.

    The tests are those of the statement that publishes the members, so the answer is the one that a
    publishing of this instant would give. Refused for a segment without a rule; for cells and tiers
    `explain` says why.
    """
    segment = await Segment.load(who.workspace_id, segment_id)
    await customers.get(who, customer_id)
    rule = (await _rules(who.workspace_id, [segment.id])).get(segment.id)
    if rule is None:
        kind = "placement" if segment.kind in BUILT_IN else "list made by hand"
        raise Invalid(f"this segment has no rule: it is a {kind}", field="segmentId")
    workspace = await workspaces.get(who.workspace_id)
    as_of = await timekeeping.now(workspace.id)
    found = _compiled(rule, workspace, as_of)
    figures = ", ".join(
        f"{test.value} AS value_{number}, {test.holds} AS holds_{number}"
        for number, test in enumerate(found.tests)
    )
    row = await db.one(
        f"""SELECT c.excluded AS excluded, {found.holds} AS fits, {figures}
            FROM customers c {" ".join(found.joins)}
            WHERE c.workspace_id = :workspace AND c.id = :customer""",
        workspace=workspace.id,
        customer=customer_id,
        **found.params,
    )
    assert row is not None
    stay = await Membership.get_or_none(
        workspace_id=workspace.id, segment_id=segment.id, customer_id=customer_id, left_at__isnull=True
    )
    tests = [
        Judged(
            test.place,
            test.name,
            _shown(test, row[f"value_{number}"], workspace.currency),
            test.threshold,
            bool(row[f"holds_{number}"]),
        )
        for number, test in enumerate(found.tests)
    ]
    counted = not row["excluded"]
    told = [] if counted else [Judged((), "excluded", "excluded", "counted", False)]
    return Verdict(
        as_of=as_of,
        fits=bool(row["fits"]) and counted,
        since=stay.entered_at if stay else None,
        lines=[*told, *_joined(rule, tests, ())],
    )


def _shown(test: Asked, value: Any, currency: str) -> str | None:
    if value is None:
        return None
    if test.shown is Shown.MONEY:
        return money.shown(int(value), currency)
    return db.instant_of(value).isoformat() if test.shown is Shown.INSTANT else str(value)


def _joined(node: Condition, tests: Sequence[Judged], at: Place) -> list[Judged]:
    """The lines of a node, what joins them first."""
    if isinstance(node, AllOf | AnyOf):
        name = "all" if isinstance(node, AllOf) else "any"
        parts = [_joined(each, tests, (*at, name, str(number))) for number, each in enumerate(node.parts)]
        met = [_met(lines) for lines in parts]
        holds = all(met) if name == "all" else any(met)
        head = Judged(at, name, f"{sum(met)} of {len(met)}", "every one" if name == "all" else "one", holds)
        return [head, *(line for lines in parts for line in lines)]
    if isinstance(node, Not):
        below = _joined(node.part, tests, (*at, "not"))
        met_below = _met(below)
        return [Judged(at, "not", "met" if met_below else "not met", "not met", not met_below), *below]
    own = [test for test in tests if test.place[: len(at)] == at]
    if len(own) == 1:
        return own
    met = [test.met for test in own]
    return [Judged(own[0].place, own[0].place[-1], f"{sum(met)} of {len(met)}", "every one", all(met)), *own]


def _met(lines: Sequence[Judged]) -> bool:
    return lines[0].met
