"""Segments as they change, and who came and went."""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, cast

import strawberry

from api import live
from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, load, who
from api.enums import publish
from api.errors import bad_request
from api.filters import where_q
from api.limits import Ration
from api.mapping import reads
from api.nodes import extends
from api.permissions import subscription
from api.runs.types import Run
from api.segments.fields import COLUMNS
from api.segments.placement import MembershipPeriod
from api.segments.types import Segment, SegmentWhere
from domain import runs, segments
from domain.errors import DomainError
from domain.journal import JournalLine


class SegmentWay(StrEnum):
    """Which way customers went."""

    ENTERED = "ENTERED"
    LEFT = "LEFT"


publish(SegmentWay, "Which way customers went.", {"ENTERED": "Into the segment.", "LEFT": "Out of it."})


@extends(Run)
class RunSegmentMoves:
    @strawberry.field(
        description="Who came into a segment by this run, or went by it: the stays that it began or ended, "
        "in the order in which the customers were added.",
        metadata=reads("id"),
    )
    async def segment_moves(
        self: Any,
        info: Info,
        key: Annotated[str, strawberry.argument(description="The segment's key.")],
        way: Annotated[SegmentWay, strawberry.argument(description="Which of them.")],
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[MembershipPeriod]:
        segment = await segments.find_by_key(who(info).workspace_id, key)
        number, entered = segment.id if segment else 0, way is SegmentWay.ENTERED
        try:
            page = await segments.moves(
                who(info), number, self.id, part(first, last, after, before), entered=entered
            )
        except DomainError as error:
            raise bad_request(error) from error
        return cast(Connection[MembershipPeriod], connection(page))


@strawberry.type(description="One change of a segment.")
class SegmentChange:
    line: strawberry.Private[JournalLine]
    cursor: str = strawberry.field(description="The change's place in the feed, for `after`.")
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(
        description="What happened: `segment.created`, `segment.changed`, `segment.archived`, "
        "`segment.restored`; `segment.published` when its members were worked out; behind it, for every "
        "batch of customers who came or went, `segment.entered` or `segment.left`."
    )
    segment: Segment = strawberry.field(description="The segment as it is now.")
    entered: int = strawberry.field(
        description="How many came in: by the publishing, or in the batch; otherwise 0."
    )
    left: int = strawberry.field(description="How many went, likewise.")

    @strawberry.field(
        description="The run that moved a batch, whose `segmentMoves` lists it; null for other changes, and "
        "once it is forgotten."
    )
    async def run(self, info: Info) -> Run | None:
        number = self.line.data.get("run")
        return None if number is None else cast(Run | None, await load(info, runs.Run.by_ids, number))


def _change(line: JournalLine, segment: segments.Segment) -> SegmentChange:
    batch = {"segment.entered": "entered", "segment.left": "departed"}.get(line.name)
    counted = line.data if batch is None else {batch: line.data["customers"]}
    return SegmentChange(
        line=line,
        cursor=live.cursor(line),
        at=line.at,
        change=line.name,
        segment=cast(Segment, segment),
        entered=counted.get("entered", 0),
        left=counted.get("departed", 0),
    )


@strawberry.type
class SegmentSubscriptions:
    @subscription("Changes of segments, and who comes and goes, from `after` on or from now on.")
    async def segment_changed(
        self,
        info: Info,
        where: Annotated[
            SegmentWhere | None,
            strawberry.argument(description="Only segments that are like this when they are shown."),
        ] = None,
        after: Annotated[
            str | None,
            strawberry.argument(description="Replay what came after this cursor, then go on live."),
        ] = None,
    ) -> AsyncIterator[SegmentChange]:
        condition = where_q(where, COLUMNS)  # one that will not do is refused before anything is waited for

        async def read(line: JournalLine) -> segments.Segment | None:
            return await segments.matching(who(info).workspace_id, condition, line.subject_id)

        async for line in live.lines(info, "segments", after):
            async with Ration(info.context, {}).in_time():
                segment = await read(line)
            if segment is not None:
                yield _change(line, segment)
