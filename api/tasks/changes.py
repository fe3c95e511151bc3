"""What is done with follow-up work."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated, cast

import strawberry

from api.context import Info, who
from api.ids import row_id, row_or_nothing
from api.mutations import Expected, Refusal, mutation, payload, result
from api.runs.types import Run
from api.tasks.types import Task
from domain import tasks, timekeeping
from domain.access import FRONT_LINE, PLANNERS, Role
from domain.contacts import Channel, Purpose
from domain.tasks import Draft, Outcome, Priority, TaskKind, TaskResult

TaskId = Annotated[strawberry.ID, strawberry.argument(description="The task's id.")]


@strawberry.input(description="A new task.")
class TaskCreateInput:
    customer_id: strawberry.ID = strawberry.field(description="Whom it is for.")
    title: str = strawberry.field(description="What is to be done.")
    kind: TaskKind = strawberry.field(default=TaskKind.GENERAL, description="What the work is.")
    channel: Channel | None = strawberry.field(
        default=None, description="How the customer is to be reached; the contact policy may choose another."
    )
    purpose: Purpose = strawberry.field(default=Purpose.SERVICE, description="What the contact is for.")
    contact_at: datetime | None = strawberry.field(
        default=None,
        description="When the contact is planned; now, if left out. The contact policy may move it.",
    )
    due_at: datetime | None = strawberry.field(
        default=None, description="The deadline; a day after the planned contact, if left out."
    )
    priority: Priority = strawberry.field(default=Priority.NORMAL, description="How urgent it is.")
    script: str = strawberry.field(default="", description="What to say or do.")
    assignee_id: strawberry.ID | None = strawberry.field(default=None, description="Who does it.")
    team_id: strawberry.ID | None = strawberry.field(default=None, description="The team that does it.")
    dedupe_key: str | None = strawberry.field(
        default=None, description="The reason: while a task with it is open, that one is the answer."
    )


@strawberry.input(description="How the work ended.")
class TaskCompleteInput:
    result: TaskResult = strawberry.field(description="What came of it.")
    note: str = strawberry.field(default="", description="What was said.")
    smoothness_of_use: int | None = strawberry.field(
        default=None,
        description="How smoothly it works, 1 to 5; a call-back that reached the customer needs it.",
    )
    need_satisfaction: int | None = strawberry.field(
        default=None,
        description="How well it meets the need, 1 to 5; a call-back that reached the customer needs it.",
    )


@payload("A task was opened, or the open one of the same reason was found.")
class TaskCreatePayload:
    task: Task = strawberry.field(description="The task.")
    created: bool = strawberry.field(description="Whether it is new.")


@payload("A task was given to somebody.")
class TaskAssignPayload:
    task: Task = strawberry.field(description="The task as it is now.")


@payload("A task was begun.")
class TaskStartPayload:
    task: Task = strawberry.field(description="The task as it is now.")


@payload("A task was put off.")
class TaskSnoozePayload:
    task: Task = strawberry.field(description="The task as it is now.")


@payload("A task was completed.")
class TaskCompletePayload:
    task: Task = strawberry.field(description="The task as it is now.")


@payload("A task was cancelled.")
class TaskCancelPayload:
    task: Task = strawberry.field(description="The task as it is now.")


@payload("Visits are being planned.")
class VisitsPlanPayload:
    run: Run = strawberry.field(description="The run that opens them.")


@strawberry.type
class TaskMutations:
    @mutation("Open a task. The contact policy decides its channel and hour.", allow=FRONT_LINE | PLANNERS)
    async def task_create(
        self, info: Info, input: Annotated[TaskCreateInput, strawberry.argument(description="The task.")]
    ) -> Annotated[TaskCreatePayload | Refusal, result("TaskCreateResult")]:
        principal = who(info)
        contact_at = input.contact_at or await timekeeping.now(principal.workspace_id)
        assignee, team = input.assignee_id, input.team_id
        draft = Draft(
            kind=input.kind,
            customer_id=row_or_nothing("Customer", input.customer_id),
            title=input.title,
            dedupe_key=f"task:{input.dedupe_key or secrets.token_hex(12)}",
            due_at=input.due_at or contact_at + timedelta(days=1),
            contact_at=contact_at,
            channel=input.channel,
            purpose=input.purpose,
            priority=input.priority,
            script=input.script,
            assignee_id=None if assignee is None else row_or_nothing("User", assignee),
            team_id=None if team is None else row_or_nothing("Team", team),
        )
        task, created = await tasks.create(principal, draft)
        return TaskCreatePayload(task=cast(Task, task), created=created)

    @mutation("Give a task to somebody, to a team, or back to all.", allow=FRONT_LINE)
    async def task_assign(
        self,
        info: Info,
        id: TaskId,
        assignee_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Who does it; null: whoever takes it.")
        ] = None,
        team_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The team that does it.")
        ] = None,
        expected_version: Expected = None,
    ) -> Annotated[TaskAssignPayload | Refusal, result("TaskAssignResult")]:
        assignee = row_id("User", assignee_id, "assigneeId") if assignee_id is not None else None
        team = row_id("Team", team_id, "teamId") if team_id is not None else None
        task = await tasks.assign(who(info), row_id("Task", id), assignee, team, expected_version)
        return TaskAssignPayload(task=cast(Task, task))

    @mutation("Begin a task; it becomes the caller's when it was nobody's.", allow=FRONT_LINE)
    async def task_start(
        self, info: Info, id: TaskId, expected_version: Expected = None
    ) -> Annotated[TaskStartPayload | Refusal, result("TaskStartResult")]:
        task = await tasks.start(who(info), row_id("Task", id), expected_version)
        return TaskStartPayload(task=cast(Task, task))

    @mutation("Put a task off. Its deadline and its ladder go on.", allow=FRONT_LINE)
    async def task_snooze(
        self,
        info: Info,
        id: TaskId,
        until: Annotated[datetime, strawberry.argument(description="Until when.")],
        expected_version: Expected = None,
    ) -> Annotated[TaskSnoozePayload | Refusal, result("TaskSnoozeResult")]:
        task = await tasks.snooze(who(info), row_id("Task", id), until, expected_version)
        return TaskSnoozePayload(task=cast(Task, task))

    @mutation("Close a task with its outcome; the contact is logged with it.", allow=FRONT_LINE)
    async def task_complete(
        self,
        info: Info,
        id: TaskId,
        input: Annotated[TaskCompleteInput, strawberry.argument(description="How it ended.")],
        expected_version: Expected = None,
    ) -> Annotated[TaskCompletePayload | Refusal, result("TaskCompleteResult")]:
        outcome = Outcome(input.result, input.note, input.smoothness_of_use, input.need_satisfaction)
        task = await tasks.complete(who(info), row_id("Task", id), outcome, expected_version)
        return TaskCompletePayload(task=cast(Task, task))

    @mutation("Close a task undone.", allow=FRONT_LINE)
    async def task_cancel(
        self,
        info: Info,
        id: TaskId,
        reason: Annotated[str, strawberry.argument(description="Why it is not to be done.")],
        expected_version: Expected = None,
    ) -> Annotated[TaskCancelPayload | Refusal, result("TaskCancelResult")]:
        task = await tasks.cancel(who(info), row_id("Task", id), reason, expected_version)
        return TaskCancelPayload(task=cast(Task, task))

    @mutation("Open the visits that the care tiers ask for.", allow=PLANNERS | {Role.OWNER})
    async def visits_plan(
        self, info: Info
    ) -> Annotated[VisitsPlanPayload | Refusal, result("VisitsPlanResult")]:
        return VisitsPlanPayload(run=cast(Run, await tasks.plan_visits(who(info))))
