"""Segments put away with their history, and taken up again."""

from typing import Annotated, cast

import strawberry

from api.context import Info, who
from api.ids import row_id
from api.mutations import Expected, Refusal, mutation, payload, result
from api.runs.types import Run
from api.segments.rules import SegmentId
from api.segments.types import Segment
from domain import segments
from domain.segments import MAKERS


@payload("A segment was archived.")
class SegmentArchivePayload:
    segment: Segment = strawberry.field(description="The segment; its members stay as they are.")


@payload("A segment was restored.")
class SegmentRestorePayload:
    segment: Segment = strawberry.field(description="The segment.")
    run: Run | None = strawberry.field(
        description="The run that publishes who came and went meanwhile; null where it stood already."
    )


@strawberry.type
class SegmentStandingMutations:
    @mutation(
        "Keep a segment of the workspace's own for its history only. Refused while a rule asks about it, or "
        "a campaign that is not closed works with it.",
        allow=MAKERS,
    )
    async def segment_archive(
        self, info: Info, id: SegmentId, expected_version: Expected = None
    ) -> Annotated[SegmentArchivePayload | Refusal, result("SegmentArchiveResult")]:
        segment = await segments.archive(who(info), row_id("Segment", id), expected_version)
        return SegmentArchivePayload(segment=cast(Segment, segment))

    @mutation("Take an archived segment up again.", allow=MAKERS)
    async def segment_restore(
        self, info: Info, id: SegmentId, expected_version: Expected = None
    ) -> Annotated[SegmentRestorePayload | Refusal, result("SegmentRestoreResult")]:
        segment, run = await segments.restore(who(info), row_id("Segment", id), expected_version)
        return SegmentRestorePayload(segment=cast(Segment, segment), run=cast(Run | None, run))
