"""Segments of a workspace's own: previewed, made, changed, filled by hand, and explained."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, load, who
from api.errors import bad_request
from api.ids import row_id, row_or_nothing
from api.mapping import reads
from api.mutations import Expected, Refusal, mutation, payload, result
from api.nodes import extends
from api.permissions import query
from api.runs.types import Run
from api.segments import reading
from api.segments.conditions import SegmentCondition, document
from api.segments.placement import MembershipPeriod
from api.segments.previews import SegmentCost, SegmentPreview
from api.segments.types import InLanguage, Segment
from domain import runs, segments
from domain.errors import DomainError, NotFound
from domain.segments import MAKERS, PickMode

SegmentId = Annotated[strawberry.ID, strawberry.argument(description="The segment's id.")]


@strawberry.type(
    description="One line of a rule: a single condition, or what joins those whose place begins so."
)
class SegmentRuleLine:
    place: list[str] = strawberry.field(description="Where it stands in the rule, from its root.")
    name: str = strawberry.field(
        description="What is looked at; `all`, `any` or `not` where it joins others."
    )
    threshold: str = strawberry.field(description="What it is held against.")


@strawberry.type(description="One line of an explanation.")
class SegmentExplanationLine(SegmentRuleLine):
    value: str | None = strawberry.field(
        description="What was found of the customer; null where nothing was."
    )
    met: bool = strawberry.field(description="Whether it holds.")


@strawberry.type(description="Why a customer is in a segment, or is not: every condition, as of now.")
class SegmentExplanation:
    as_of: datetime = strawberry.field(description="The instant for which the rule was asked.")
    fits: bool = strawberry.field(
        description="Whether the rule holds of the customer: a publishing of this instant would have it so."
    )
    member_since: datetime | None = strawberry.field(
        description="Since when the customer is a member, as published; null if they are not."
    )
    lines: list[SegmentExplanationLine] = strawberry.field(description="The rule, line by line, root first.")


@strawberry.type(description="How fresh a segment's members are.")
class SegmentFreshness:
    run: Run = strawberry.field(description="The run that published them last.")
    rule_number: int | None = strawberry.field(
        description="The version that was published; null for a segment that every workspace has."
    )
    as_of: datetime = strawberry.field(description="The instant for which they were worked out.")
    computed_at: datetime = strawberry.field(description="When they were published, in machine time.")
    took_milliseconds: int = strawberry.field(description="How long looking at everybody took.")
    entered: int = strawberry.field(description="How many came in by it.")
    left: int = strawberry.field(description="How many went.")
    stale: bool = strawberry.field(
        description="Whether everybody was looked at over 36 hours ago in business time, or the segment has "
        "changed since."
    )
    quick: bool = strawberry.field(
        description="Whether the last publishing looked only at customers of whom something had changed."
    )
    exact_as_of: datetime = strawberry.field(
        description="The instant for which everybody was looked at last."
    )

    @strawberry.field(
        description="How many changes of customers are still to be followed by the workspace's own segments."
    )
    async def waiting(self, info: Info) -> int:
        return await segments.unfollowed(who(info).workspace_id)


@strawberry.type(description="A named segment of the documents, ready to be taken on.")
class SegmentPreset:
    preset: strawberry.Private[segments.SegmentPreset]
    key: str = strawberry.field(description="Its key.")

    @strawberry.field(description="Its name for people.")
    async def name(self, info: Info, language: InLanguage = None) -> str:
        return await reading.spoken(info, self.preset.label, language)

    @strawberry.field(description="Who is in it.")
    async def about(self, info: Info, language: InLanguage = None) -> str:
        return await reading.spoken(info, self.preset.about, language)

    @strawberry.field(description="The segment of this key; null while there is none.")
    async def segment(self, info: Info) -> Segment | None:
        return cast(Segment | None, await segments.find_by_key(who(info).workspace_id, self.key))


@extends(Segment)
class SegmentRules:
    @strawberry.field(
        description="How fresh its members are; null before they were first published.", metadata=reads("id")
    )
    async def freshness(self: Any, info: Info) -> SegmentFreshness | None:
        found = await load(info, segments.published, self.id)
        if found is None:
            return None
        return SegmentFreshness(
            run=cast(Run, await load(info, runs.Run.by_ids, found.run_id)),
            rule_number=found.number,
            as_of=found.as_of,
            computed_at=found.computed_at,
            took_milliseconds=int(found.took.total_seconds() * 1000),
            entered=found.entered,
            left=found.departed,
            stale=found.stale,
            quick=found.quick,
            exact_as_of=found.exact_as_of,
        )

    @strawberry.field(
        description="The stays of its members, in the order in which the customers were added.",
        metadata=reads("id"),
    )
    async def members(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[MembershipPeriod]:
        try:
            page = await segments.memberships_in(who(info), self.id, part(first, last, after, before))
        except DomainError as error:
            raise bad_request(error) from error
        return cast(Connection[MembershipPeriod], connection(page))

    @strawberry.field(
        description="Its rule, line by line, root first; empty for cells, tiers and lists made by hand.",
        metadata=reads("id"),
    )
    async def rule(self: Any, info: Info) -> list[SegmentRuleLine]:
        lines = await load(info, segments.rule_lines, self.id) or []
        return [SegmentRuleLine(place=list(e.place), name=e.name, threshold=e.threshold) for e in lines]


@strawberry.type
class SegmentRuleQueries:
    @query("What a rule would come to, before it is saved.", allow=MAKERS)
    async def segment_preview(
        self,
        info: Info,
        rule: Annotated[SegmentCondition, strawberry.argument(description="The rule.")],
        segment_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Hold it against this segment's present members."),
        ] = None,
    ) -> SegmentPreview:
        currency = (await reading.workspace(info)).currency
        number = None if segment_id is None else row_or_nothing("Segment", segment_id)
        found = await segments.preview(who(info), document(rule, currency, "rule"), number)
        return SegmentPreview(
            as_of=found.as_of,
            count=found.customers,
            entering=found.entering,
            leaving=found.departing,
            staying=found.staying,
            cost=SegmentCost(
                reads=list(found.reads),
                conditions=found.conditions,
                customers=found.looked_at,
                moves=found.moves,
                estimated_milliseconds=int(found.estimate.total_seconds() * 1000),
            ),
            found=found,
        )

    @query(
        "Why a customer is in a segment, or is not; null when there is no such segment or customer here. For "
        "segments with a rule; of cells and tiers, `Customer.placementExplain` tells."
    )
    async def segment_explain(
        self,
        info: Info,
        segment_id: SegmentId,
        customer_id: Annotated[strawberry.ID, strawberry.argument(description="The customer.")],
    ) -> SegmentExplanation | None:
        try:
            found = await segments.judge(
                who(info), row_or_nothing("Segment", segment_id), row_or_nothing("Customer", customer_id)
            )
        except NotFound:
            return None
        return SegmentExplanation(
            as_of=found.as_of,
            fits=found.fits,
            member_since=found.since,
            lines=[
                SegmentExplanationLine(
                    place=list(e.place), name=e.name, threshold=e.threshold, value=e.value, met=e.met
                )
                for e in found.lines
            ],
        )

    @query("The named segments of the documents.")
    async def segment_presets(self, info: Info) -> list[SegmentPreset]:
        return [SegmentPreset(key=key, preset=each) for key, each in segments.SEGMENT_PRESETS.items()]


@strawberry.input(description="A segment of the workspace's own.")
class SegmentCreateInput:
    key: str = strawberry.field(description="Its name for programs: capitals, digits and underscores.")
    name_en: str | None = strawberry.field(
        default=None, description="Its name in English; the other name stands for one that is left out."
    )
    name_zh: str | None = strawberry.field(default=None, description="Its name in Chinese.")
    rule: SegmentCondition | None = strawberry.field(
        default=None, description="Who is in it; left out: a list made by hand, at first empty."
    )


@strawberry.input(description="What to change of a segment; what is left out or null stays as it is.")
class SegmentUpdateInput:
    name_en: str | None = strawberry.field(default=None, description="Its name in English.")
    name_zh: str | None = strawberry.field(default=None, description="Its name in Chinese.")
    rule: SegmentCondition | None = strawberry.field(default=None, description="Who is in it: a new version.")


@strawberry.input(description="Customers named by hand, or found.", one_of=True)
class SegmentMembersInput:
    customer_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="These, at most 100; an empty list empties, with REPLACE."
    )
    where: SegmentCondition | None = strawberry.field(
        default=strawberry.UNSET, description="Those of whom this is so at this moment, at most 100,000."
    )


@payload("A segment was made.")
class SegmentCreatePayload:
    segment: Segment = strawberry.field(description="The segment.")
    run: Run = strawberry.field(description="The run that publishes its members.")


@payload("A segment was changed.")
class SegmentUpdatePayload:
    segment: Segment = strawberry.field(description="The segment as it is now.")
    run: Run | None = strawberry.field(
        description="The run that publishes its members; null where its rule is the same."
    )


@payload("A segment's members are worked out anew.")
class SegmentRecomputePayload:
    run: Run = strawberry.field(description="The run that will do it; one that already waits serves all.")


@payload("A list was changed.")
class SegmentMembersChangePayload:
    segment: Segment = strawberry.field(description="The segment as it is now.")
    run: Run | None = strawberry.field(description="The run that publishes it; null where nothing changed.")
    added: int = strawberry.field(description="How many were added.")
    removed: int = strawberry.field(description="How many were taken out.")


@payload("A preset was taken on.")
class SegmentPresetInstallPayload:
    segment: Segment = strawberry.field(description="Its segment.")


async def _rule(info: Info, given: SegmentCondition | None, place: str) -> Any:
    return None if given is None else document(given, (await reading.workspace(info)).currency, place)


@strawberry.type
class SegmentRuleMutations:
    @mutation("Make a segment by a rule, or a list made by hand.", allow=MAKERS)
    async def segment_create(
        self,
        info: Info,
        input: Annotated[SegmentCreateInput, strawberry.argument(description="The segment.")],
    ) -> Annotated[SegmentCreatePayload | Refusal, result("SegmentCreateResult")]:
        segment, run = await segments.create(
            who(info),
            input.key,
            name_en=input.name_en,
            name_zh=input.name_zh,
            rule=await _rule(info, input.rule, "input.rule"),
        )
        return SegmentCreatePayload(segment=cast(Segment, segment), run=cast(Run, run))

    @mutation("Rename a segment of the workspace's own, or give it another rule.", allow=MAKERS)
    async def segment_update(
        self,
        info: Info,
        id: SegmentId,
        input: Annotated[SegmentUpdateInput, strawberry.argument(description="What to change.")],
        expected_version: Expected = None,
    ) -> Annotated[SegmentUpdatePayload | Refusal, result("SegmentUpdateResult")]:
        segment, run = await segments.update(
            who(info),
            row_id("Segment", id),
            name_en=input.name_en,
            name_zh=input.name_zh,
            rule=await _rule(info, input.rule, "input.rule"),
            expected_version=expected_version,
        )
        return SegmentUpdatePayload(segment=cast(Segment, segment), run=cast(Run | None, run))

    @mutation("Work out the members of a segment of the workspace's own anew.", allow=MAKERS)
    async def segment_recompute(
        self, info: Info, id: SegmentId
    ) -> Annotated[SegmentRecomputePayload | Refusal, result("SegmentRecomputeResult")]:
        run = await segments.recompute_one(who(info), row_id("Segment", id))
        return SegmentRecomputePayload(run=cast(Run, run))

    @mutation("Change a list made by hand.", allow=MAKERS)
    async def segment_members_change(
        self,
        info: Info,
        id: SegmentId,
        mode: Annotated[PickMode, strawberry.argument(description="What to do with them.")],
        input: Annotated[SegmentMembersInput, strawberry.argument(description="Which customers.")],
        expected_version: Expected = None,
    ) -> Annotated[SegmentMembersChangePayload | Refusal, result("SegmentMembersChangeResult")]:
        ids = input.customer_ids if isinstance(input.customer_ids, list) else None
        where = input.where if isinstance(input.where, SegmentCondition) else None
        change = await segments.pick(
            who(info),
            row_id("Segment", id),
            mode,
            customer_ids=None if ids is None else [row_or_nothing("Customer", each) for each in ids],
            where=await _rule(info, where, "input.where"),
            expected_version=expected_version,
        )
        return SegmentMembersChangePayload(
            segment=cast(Segment, change.segment),
            run=cast(Run | None, change.run),
            added=change.added,
            removed=change.removed,
        )

    @mutation(
        "Take a preset on as a segment of the workspace's own, with the thresholds as they are; one that "
        "stands already is left as it is.",
        allow=MAKERS,
    )
    async def segment_preset_install(
        self, info: Info, key: Annotated[str, strawberry.argument(description="The preset's key.")]
    ) -> Annotated[SegmentPresetInstallPayload | Refusal, result("SegmentPresetInstallResult")]:
        (found,) = await segments.install(who(info), [key])
        return SegmentPresetInstallPayload(segment=cast(Segment, found))
