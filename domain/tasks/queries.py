"""Asks about follow-up work, as a principal may see it."""

from datetime import datetime

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from domain import reading
from domain.access import Principal
from domain.paging import Order, Page, Slice
from domain.paging import page as paged
from domain.tasks.models import OPEN_STATES, Escalation, SlaState, Task, TaskState


def visible(who: Principal) -> QuerySet[Task]:
    """The tasks a principal may see: an executor their own, their teams' and nobody's; others all."""
    query = Task.filter(workspace_id=who.workspace_id)
    if who.own_work_only:
        mine = Q(assignee_id__isnull=True, team_id__isnull=True) | Q(team_id__in=list(who.team_ids) or [0])
        if who.user_id is not None:  # a program has no work of its own, and "is null" is not it
            mine |= Q(assignee_id=who.user_id)
        query = query.filter(mine)
    return query


async def find(who: Principal, task_id: int) -> Task | None:
    return await reading.one(visible(who).filter(id=task_id))


async def visible_by_ids(who: Principal, ids: list[int]) -> dict[int, Task]:
    return {task.id: task for task in await visible(who).filter(id__in=ids)}


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Task]:
    return await paged(visible(who).filter(where), order, part)


async def matching(who: Principal, where: Q, task_id: int) -> Task | None:
    """The task, if the principal may see it and it meets the condition now."""
    return await visible(who).filter(where).get_or_none(id=task_id)


async def escalations_by_task(workspace_id: int, task_ids: list[int]) -> dict[int, list[Escalation]]:
    found: dict[int, list[Escalation]] = {task_id: [] for task_id in task_ids}
    for row in await Escalation.filter(workspace_id=workspace_id, task_id__in=task_ids).order_by("rung"):
        found[row.task_id].append(row)
    return found


def overdue_at(now: datetime) -> Q:
    """Restricts a query of tasks to those that are overdue at this instant, as `overdue` says of one."""
    return Q(state__in=list(OPEN_STATES), satisfied_at__isnull=True, due_at__lt=now)


def overdue(task: Task, now: datetime) -> bool:
    """Whether the deadline has passed without the task being satisfied; its last instant is in time."""
    return task.state in OPEN_STATES and task.satisfied_at is None and now > task.due_at


def sla_state(task: Task, now: datetime) -> SlaState:
    """How a task stands against its deadline."""
    if task.satisfied_at is not None:
        return SlaState.MET if task.satisfied_at <= task.due_at else SlaState.MET_LATE
    if task.state is TaskState.CANCELLED:
        return SlaState.CANCELLED
    return SlaState.BREACHED if now > task.due_at else SlaState.RUNNING
