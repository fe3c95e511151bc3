"""Tasks as they change."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, cast

import strawberry

from api import live
from api.context import Info, who
from api.limits import Ration
from api.permissions import subscription
from api.tasks.types import Task, TaskWhere, task_q
from domain import tasks
from domain.journal import JournalLine


@strawberry.type(description="One change of a task.")
class TaskChange:
    cursor: str = strawberry.field(description="The change's place in the feed, for `after`.")
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(description="What happened, such as `task.completed`.")
    task: Task = strawberry.field(description="The task as it is now.")


@strawberry.type
class TaskSubscriptions:
    @subscription("Changes of tasks that the caller may see, from `after` on or from now on.")
    async def task_changed(
        self,
        info: Info,
        where: Annotated[
            TaskWhere | None,
            strawberry.argument(description="Only tasks that are like this when they are shown."),
        ] = None,
        after: Annotated[
            str | None,
            strawberry.argument(description="Replay what came after this cursor, then go on live."),
        ] = None,
    ) -> AsyncIterator[TaskChange]:
        await task_q(info, where)  # one that will not do is refused before anything is waited for
        async for line in live.lines(info, "tasks", after):
            async with Ration(info.context, {}).in_time():
                task = await _task(info, where, line)
            if task is not None:
                yield TaskChange(
                    cursor=live.cursor(line), at=line.at, change=line.name, task=cast(Task, task)
                )


async def _task(info: Info, where: TaskWhere | None, line: JournalLine) -> tasks.Task | None:
    """The task that a line is about, if it is for this caller and meets the condition now."""
    condition = await task_q(info, where)

    async def read() -> tasks.Task | None:
        return await tasks.matching(who(info), condition, line.subject_id)

    return await read() if where else await live.once(info, line, "task", read)
