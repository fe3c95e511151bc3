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
from api.runs.types import Queue, Run, RunPause, RunSelection, RunWhere
from domain import runs
from domain.access import ADMINS, BUILDERS, EVERYONE
from domain.errors import NotFound
from domain.paging import Order

COLUMNS = {
    name: name
    for name in ("kind", "state", "queue", "error_code", "started_by", "worker", "queued_at", "finished_at")
}


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

    @query("Runs, the latest first.", allow=EVERYONE, left=True)
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

    @query("The queues of machine work, the urgent first.", allow=EVERYONE)
    async def queues(self, info: Info) -> list[Queue]:
        return [
            Queue(
                name=depth.queue,
                waiting=depth.waiting,
                running=depth.running,
                oldest_at=depth.oldest_at,
                paused=depth.paused,
            )
            for depth in await runs.depths(who(info).workspace_id)
        ]

    @query("What is paused, the oldest first.", allow=EVERYONE)
    async def run_pauses(self, info: Info) -> list[RunPause]:
        return cast(list[RunPause], await runs.pauses(who(info).workspace_id))


@payload("A run was asked to end, or ended.")
class RunCancelPayload:
    run: Run = strawberry.field(description="The run as it is now.")


@payload("A run was queued again.")
class RunRetryPayload:
    run: Run = strawberry.field(description="The run that will do the work.")


@payload("Failed and cancelled runs were queued again.")
class RunsRetryPayload:
    count: int = strawberry.field(description="How many runs will do the work; those of one key are one.")
    more: bool = strawberry.field(description="Whether more match than are retried at once: ask again.")


@payload("Runs of a queue or kind start no more.")
class QueuePausePayload:
    paused: bool = strawberry.field(description="Whether it was not paused before.")


@payload("Runs of a queue or kind start again.")
class QueueResumePayload:
    resumed: bool = strawberry.field(description="Whether they had been paused.")


RunId = Annotated[strawberry.ID, strawberry.argument(description="The run's id.")]
What = Annotated[RunSelection, strawberry.argument(description="A queue or a kind.")]


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

    @mutation(
        "Queue failed and cancelled runs again, the oldest first, at most 1,000 at once.", allow=BUILDERS
    )
    async def runs_retry(
        self,
        info: Info,
        where: Annotated[RunWhere, strawberry.argument(description="Which ones, of those that failed.")],
    ) -> Annotated[RunsRetryPayload | Refusal, result("RunsRetryResult")]:
        serving, more = await runs.retry_all(who(info), where_q(where, COLUMNS))
        return RunsRetryPayload(count=len(serving), more=more)

    @mutation("Start no more runs of a queue or kind until it is resumed; what runs goes on.", allow=ADMINS)
    async def queue_pause(
        self,
        info: Info,
        what: What,
        reason: Annotated[str, strawberry.argument(description="Why, for the others to read.")] = "",
    ) -> Annotated[QueuePausePayload | Refusal, result("QueuePauseResult")]:
        return QueuePausePayload(paused=await runs.pause(who(info), **what.named(), reason=reason))

    @mutation("Let a paused queue or kind go on.", allow=ADMINS)
    async def queue_resume(
        self, info: Info, what: What
    ) -> Annotated[QueueResumePayload | Refusal, result("QueueResumeResult")]:
        return QueueResumePayload(resumed=await runs.resume(who(info), **what.named()))
