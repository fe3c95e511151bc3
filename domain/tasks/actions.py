"""What people do with their work."""

from dataclasses import asdict, dataclass
from datetime import datetime

from domain import contacts, db, journal, timekeeping, workspaces
from domain.access import LEADS, Principal
from domain.contacts import ContactResult, Direction
from domain.errors import ErrorCode, Forbidden, Invalid, NotFound, Problem
from domain.journal import Entry
from domain.tasks.errors import OutcomeMissing, TaskClosed
from domain.tasks.models import OPEN_STATES, Task, TaskKind, TaskResult, TaskState
from domain.tasks.queries import visible

SCORES = range(1, 6)
NOTE_LENGTH = 4000


@dataclass(frozen=True)
class Outcome:
    """How the work ended. The two scores, 1 to 5, are asked of a call-back that reached the customer."""

    result: TaskResult
    note: str = ""
    smoothness_of_use: int | None = None
    need_satisfaction: int | None = None


async def _mine(who: Principal, task_id: int, expected_version: int | None) -> Task:
    """The open task, if this principal may work on it."""
    task = await visible(who).get_or_none(id=task_id)
    if task is None:
        raise NotFound("no such task", field="id")
    task.expect(expected_version)
    if task.state not in OPEN_STATES:
        raise TaskClosed(f"this task is {task.state.value}", current=task)
    return task


async def _changed(who: Principal, task: Task, name: str, **data: object) -> None:
    await journal.write(who, Entry(f"task.{name}", task.id, task.customer_id, data or None))


async def assign(
    who: Principal,
    task_id: int,
    assignee_id: int | None,
    team_id: int | None,
    expected_version: int | None = None,
) -> Task:
    """Give a task to somebody, or to a team, or back to all."""
    if who.role not in LEADS and assignee_id not in (None, who.user_id):
        raise Forbidden("only a lead gives work to somebody else", field="assigneeId")
    async with db.transaction():
        task = await _mine(who, task_id, expected_version)
        if assignee_id is not None and await workspaces.find_staff(who.workspace_id, assignee_id) is None:
            raise NotFound("no such member of staff", field="assigneeId")
        if team_id is not None and await workspaces.Team.find(who.workspace_id, team_id) is None:
            raise NotFound("no such team", field="teamId")
        now = await timekeeping.now(who.workspace_id)
        await task.must_change(assignee_id=assignee_id, team_id=team_id, updated_at=now)
        await _changed(who, task, "assigned")
    return task


async def start(who: Principal, task_id: int, expected_version: int | None = None) -> Task:
    """Begin a task; it becomes the caller's when it was nobody's. Beginning again changes nothing."""
    async with db.transaction():
        task = await _mine(who, task_id, expected_version)
        if task.state is TaskState.IN_PROGRESS:
            return task
        now = await timekeeping.now(who.workspace_id)
        await task.must_change(
            state=TaskState.IN_PROGRESS,
            assignee_id=task.assignee_id or who.user_id,
            snoozed_until=None,
            updated_at=now,
        )
        await _changed(who, task, "started")
    return task


async def snooze(who: Principal, task_id: int, until: datetime, expected_version: int | None = None) -> Task:
    """Put a task off. Its deadline and its ladder go on."""
    async with db.transaction():
        task = await _mine(who, task_id, expected_version)
        now = await timekeeping.now(who.workspace_id)
        if until <= now:
            raise Invalid("snooze until an instant that is still to come", field="until")
        await task.must_change(state=TaskState.SNOOZED, snoozed_until=until, updated_at=now)
        await _changed(who, task, "snoozed")
    return task


async def cancel(who: Principal, task_id: int, reason: str, expected_version: int | None = None) -> Task:
    """Close a task undone. The same statement stops its ladder."""
    if not reason.strip():
        raise OutcomeMissing("say why the task is cancelled", field="reason")
    async with db.transaction():
        task = await _mine(who, task_id, expected_version)
        now = await timekeeping.now(who.workspace_id)
        await task.must_change(
            state=TaskState.CANCELLED,
            outcome={"reason": reason[:NOTE_LENGTH]},
            next_escalation_at=None,
            snoozed_until=None,
            closed_at=now,
            updated_at=now,
        )
        await _changed(who, task, "cancelled")
    return task


async def complete(
    who: Principal, task_id: int, outcome: Outcome, expected_version: int | None = None
) -> Task:
    """Close a task with its outcome, log the contact, and stop the ladder: all at once or not at all.

    Raises:
        OutcomeMissing: naming each part of the outcome that this kind of task needs.
    """
    async with db.transaction():
        task = await _mine(who, task_id, expected_version)
        check(task.kind, outcome)
        now = await timekeeping.now(who.workspace_id)
        satisfied = task.satisfied_at or now
        await task.must_change(
            state=TaskState.DONE,
            outcome={**asdict(outcome), "result": outcome.result.value},
            satisfied_at=satisfied,
            breached_at=task.breached_at or (now if satisfied > task.due_at else None),
            next_escalation_at=None,
            snoozed_until=None,
            assignee_id=task.assignee_id or who.user_id,
            closed_at=now,
            updated_at=now,
        )
        await _changed(who, task, "completed")
        if task.channel is not None:
            await contacts.record_interaction(
                who,
                task.customer_id,
                channel=task.channel,
                direction=Direction.OUTBOUND,
                personal=True,
                result=ContactResult(outcome.result.value),
                note=outcome.note,
                occurred_at=now,
                staff_id=who.user_id,
            )
    return task


def check(kind: TaskKind, outcome: Outcome) -> None:
    """Refuse an outcome that lacks what its kind of task needs, or whose scores are off the scale."""
    problems = []
    scores = {"smoothnessOfUse": outcome.smoothness_of_use, "needSatisfaction": outcome.need_satisfaction}
    for name, score in scores.items():
        path = ("input", name)
        needed = kind is TaskKind.POST_DELIVERY_CALLBACK and outcome.result is TaskResult.REACHED
        if score is None and needed:
            problems.append(Problem(ErrorCode.REQUIRED, f"a call-back needs the score {name}", path))
        elif score is not None and score not in SCORES:
            problems.append(Problem(ErrorCode.INVALID, f"{name} is a score from 1 to 5", path))
    if len(outcome.note) > NOTE_LENGTH:
        problems.append(
            Problem(ErrorCode.INVALID, f"a note has at most {NOTE_LENGTH} characters", ("input", "note"))
        )
    if problems:
        raise OutcomeMissing.of(problems)


async def note_contact(who: Principal, customer_id: int, occurred_at: datetime) -> None:
    """A contact took place: it satisfies the customer's open first touches, and stops their ladders.

    What counts is when the contact was, not when it was logged: one that was in time clears a breach.
    """
    for task in await Task.filter(
        workspace_id=who.workspace_id,
        customer_id=customer_id,
        kind=TaskKind.FIRST_TOUCH,
        state__in=list(OPEN_STATES),
        satisfied_at__isnull=True,
    ):
        late = occurred_at > task.due_at
        await task.must_change(
            satisfied_at=occurred_at,
            next_escalation_at=None,
            breached_at=(task.breached_at or occurred_at) if late else None,
            updated_at=await timekeeping.now(who.workspace_id),
        )
        await _changed(who, task, "satisfied")
