"""Questions about machine work, and how to end it or try it again."""

from typing import Annotated, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.filters import where_q
from api.ids import row_id
from api.mutations import Refusal, mutation, payload, result
from api.nodes import kinds
from api.permissions import query
from api.runs.types import Run, RunWhere
from domain import runs
from domain.access import BUILDERS, EVERYONE
from domain.errors import NotFound
from domain.paging import Order

COLUMNS = {"kind": "kind", "state": "state"}


@strawberry.type
class RunQueries:
    @query("One run; null when there is none with this id here.", allow=EVERYONE)
    async def run(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The run's id.")]
    ) -> Run | None:
        try:
            number = row_id("Run", id)
        except NotFound:
            return None
        return cast(Run | None, (await kinds["Run"].visible(who(info), [number])).get(number))

    @query("Runs, the latest first.", allow=EVERYONE)
    async def runs(
        self,
        info: Info,
        where: Annotated[RunWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Run]:
        page = await runs.page(
            who(info), where_q(where, COLUMNS), Order("id", descending=True), part(first, last, after, before)
        )
        return cast(Connection[Run], connection(page))


@payload("A run was asked to end, or ended.")
class RunCancelPayload:
    run: Run = strawberry.field(description="The run as it is now.")


@payload("A run was queued again.")
class RunRetryPayload:
    run: Run = strawberry.field(description="The run that will do the work.")


RunId = Annotated[strawberry.ID, strawberry.argument(description="The run's id.")]


@strawberry.type
class RunMutations:
    @mutation("Ask a run to end: at once if it waits, at its next step if it runs.", allow=BUILDERS)
    async def run_cancel(
        self, info: Info, id: RunId
    ) -> Annotated[RunCancelPayload | Refusal, result("RunCancelResult")]:
        return RunCancelPayload(run=cast(Run, await runs.cancel(who(info), row_id("Run", id))))

    @mutation("Queue a failed or cancelled run again; it goes on from its last step.", allow=BUILDERS)
    async def run_retry(
        self, info: Info, id: RunId
    ) -> Annotated[RunRetryPayload | Refusal, result("RunRetryResult")]:
        return RunRetryPayload(run=cast(Run, await runs.retry(who(info), row_id("Run", id))))
