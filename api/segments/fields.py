"""Questions about segments and the matrix, and how they are computed anew."""

from datetime import datetime
from typing import Annotated, cast

import strawberry
from tortoise.expressions import Q

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, load, who
from api.filters import Column, where_q
from api.ids import row_id
from api.mutations import Expected, Refusal, mutation, payload, result
from api.permissions import query
from api.runs.types import Run
from api.segments import reading
from api.segments.thresholds import (
    SegmentationThresholds,
    SegmentationThresholdsInput,
    changes,
    thresholds,
)
from api.segments.types import Segment, Segmentation, SegmentWhere, StrategyCell, Transition, cell
from domain import runs, segments
from domain.access import ADMINS, BUILDERS
from domain.errors import Invalid, NotFound, Required
from domain.paging import Order
from domain.segments import RecomputeMode

COLUMNS: dict[str, Column] = {
    "kind": "kind",
    "archived": lambda given: Q(archived_at__isnull=not given),
}


@strawberry.type
class SegmentQueries:
    @query("One segment, by its id or its key; null when there is none here.", left=True)
    async def segment(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="The segment's id.")] = None,
        key: Annotated[str | None, strawberry.argument(description="Or its key, such as `VIP`.")] = None,
    ) -> Segment | None:
        if (id is None) == (key is None):
            raise Required("give an id or a key", field="id")
        workspace_id = who(info).workspace_id
        if key is not None:
            return cast(Segment | None, await segments.find_by_key(workspace_id, key))
        try:
            number = row_id("Segment", id or "")
        except NotFound:
            return None
        return cast(Segment | None, await segments.find(workspace_id, number))

    @query("Segments; there are none before the first recompute.", left=True)
    async def segments(
        self,
        info: Info,
        where: Annotated[SegmentWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Segment]:
        page = await segments.page(
            who(info), where_q(where, COLUMNS), Order("id"), part(first, last, after, before)
        )
        return cast(Connection[Segment], connection(page))

    @query("The fifteen cells of lifecycle and value; their counts sum to all customers placed.")
    async def strategy_matrix(self, info: Info) -> list[StrategyCell]:
        return [cell(place) for place in segments.STRATEGIES]

    @query("The recompute whose placements are in force; null before the first.")
    async def segmentation(self, info: Info) -> Segmentation | None:
        fresh = await reading.freshness(info)
        if fresh.latest is None:
            return None
        return Segmentation(
            as_of=fresh.latest.as_of,
            computed_at=fresh.latest.computed_at,
            run=cast(Run, await load(info, runs.Run.by_ids, fresh.latest.run_id)),
            mode=fresh.latest.mode or RecomputeMode.FULL,
            stale=fresh.stale,
            thresholds_number=fresh.latest.thresholds_number,
            customers=fresh.latest.customers,
            changed=fresh.latest.changed,
            marked=fresh.latest.customers if fresh.latest.marked is None else fresh.latest.marked,
            ranked_as_of=fresh.latest.ranked_as_of or fresh.latest.as_of,
            drift=fresh.latest.drift,
        )

    @query("How many customers were in another cell at the second instant than at the first.")
    async def segment_transitions(
        self,
        info: Info,
        since: Annotated[datetime, strawberry.argument(description="The first instant.")],
        until: Annotated[datetime, strawberry.argument(description="The second instant.")],
    ) -> list[Transition]:
        if until < since:
            raise Invalid("until lies before since", field="until")
        return [
            Transition(
                source=cell(moved.source) if moved.source else None,
                target=cell(moved.target) if moved.target else None,
                customers=moved.customers,
            )
            for moved in await segments.transitions(who(info).workspace_id, since, until)
        ]

    @query("The lines that the next recompute will go by.")
    async def segmentation_thresholds(self, info: Info) -> SegmentationThresholds:
        version = await segments.thresholds(who(info).workspace_id)
        return thresholds(version, (await reading.workspace(info)).currency)


@payload("A recompute was asked for.")
class SegmentationRecomputePayload:
    run: Run = strawberry.field(description="The run that will do it; one that already waits serves all.")


@payload("The lines were moved; the next recompute goes by them.")
class SegmentationThresholdsSetPayload:
    number: int = strawberry.field(description="The version that holds now.")

    @strawberry.field(description="The lines of that version.")
    async def thresholds(self, info: Info) -> SegmentationThresholds:
        version = await segments.thresholds(who(info).workspace_id, self.number)
        return thresholds(version, (await reading.workspace(info)).currency)


@strawberry.type
class SegmentMutations:
    @mutation("Place customers anew: by default every one, from the raw orders.", allow=BUILDERS)
    async def segmentation_recompute(
        self,
        info: Info,
        mode: Annotated[
            RecomputeMode,
            strawberry.argument(
                description="How much is decided anew. Before the first publication, and by other "
                "thresholds than the last one's, every mode is FULL."
            ),
        ] = RecomputeMode.FULL,
    ) -> Annotated[SegmentationRecomputePayload | Refusal, result("SegmentationRecomputeResult")]:
        return SegmentationRecomputePayload(run=cast(Run, await segments.recompute(who(info), mode)))

    @mutation("Move the lines between groups, starting from a preset or from where they are.", allow=ADMINS)
    async def segmentation_thresholds_set(
        self,
        info: Info,
        preset: Annotated[
            str | None,
            strawberry.argument(description="Start from this named set: DOCUMENTS or CDNOW_USD."),
        ] = None,
        input: Annotated[
            SegmentationThresholdsInput | None, strawberry.argument(description="The lines to move.")
        ] = None,
        expected_version: Expected = None,
    ) -> Annotated[SegmentationThresholdsSetPayload | Refusal, result("SegmentationThresholdsSetResult")]:
        moves = changes(input, (await reading.workspace(info)).currency)
        set_ = await segments.thresholds_set(who(info), preset, expected=expected_version, **moves)
        return SegmentationThresholdsSetPayload(number=set_.number)
