"""Runs as they go on."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, cast

import strawberry

from api import live
from api.context import Info, who
from api.ids import row_id
from api.permissions import subscription
from api.runs.types import Run
from domain import runs
from domain.journal import JournalLine


@strawberry.type(description="One change of a run.")
class RunChange:
    cursor: str = strawberry.field(description="The change's place in the feed, for `after`.")
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(description="What happened, such as `run.succeeded`.")
    run: Run = strawberry.field(description="The run as it is now.")


@strawberry.type
class RunSubscriptions:
    @subscription("Changes of one run, or of all, from `after` on or from now on.")
    async def run_changed(
        self,
        info: Info,
        id: Annotated[strawberry.ID | None, strawberry.argument(description="Only this run.")] = None,
        after: Annotated[
            str | None,
            strawberry.argument(description="Replay what came after this cursor, then go on live."),
        ] = None,
    ) -> AsyncIterator[RunChange]:
        wanted = row_id("Run", id) if id is not None else None
        async for line in live.lines(info, "runs", after):
            if wanted is not None and line.subject_id != wanted:
                continue
            run = await _run(info, line)
            if run is not None:
                yield RunChange(cursor=live.cursor(line), at=line.at, change=line.name, run=cast(Run, run))


async def _run(info: Info, line: JournalLine) -> runs.Run | None:
    async def read() -> runs.Run | None:
        return await runs.Run.find(who(info).workspace_id, line.subject_id)

    return await live.once(info, line, "run", read)
