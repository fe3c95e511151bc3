"""Questions about follow-up work."""

from enum import Enum
from typing import Annotated, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.filters import Direction
from api.ids import row_id
from api.permissions import query
from api.tasks.types import Task, TaskWhere, task_q
from domain import tasks
from domain.errors import NotFound
from domain.paging import Order


@strawberry.enum(description="By what tasks are sorted.")
class TaskOrder(Enum):
    DUE_AT = strawberry.enum_value("due_at", description="By deadline.")
    CREATED_AT = strawberry.enum_value("id", description="In the order in which they were opened.")


@strawberry.type
class TaskQueries:
    @query("One task; null when there is none with this id that the caller may see.", left=True)
    async def task(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The task's id.")]
    ) -> Task | None:
        try:
            number = row_id("Task", id)
        except NotFound:
            return None
        return cast(Task | None, await tasks.find(who(info), number))

    @query("Tasks that the caller may see: an executor their own, their teams' and nobody's.", left=True)
    async def tasks(
        self,
        info: Info,
        where: Annotated[TaskWhere | None, strawberry.argument(description="Which ones.")] = None,
        order_by: Annotated[TaskOrder, strawberry.argument(description="Sorted by what.")] = TaskOrder.DUE_AT,
        direction: Annotated[Direction, strawberry.argument(description="Which way.")] = Direction.ASC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Task]:
        order = Order(str(order_by.value), descending=direction is Direction.DESC)
        page = await tasks.page(who(info), await task_q(info, where), order, part(first, last, after, before))
        return cast(Connection[Task], connection(page))
