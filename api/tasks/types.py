"""The types of follow-up work."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from tortoise.expressions import Q

import api.tasks.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, nested, part
from api.contacts.types import ContactDecision
from api.context import Info, business_now, load, who
from api.customers.types import Customer
from api.filters import Column, DateTimeFilter, EnumFilter, IdFilter, StringFilter, where_q
from api.mapping import EACH, one, reads
from api.nodes import Node, extends, node_type, row_type
from api.permissions import masked
from api.workspaces.types import Team, User
from domain import contacts, customers, tasks, timekeeping, workspaces
from domain.access import Role
from domain.contacts import Channel
from domain.paging import Order
from domain.segments import RfmTier
from domain.tasks import Priority, QuotaState, SlaState, TaskKind, TaskResult, TaskState


@strawberry.type(description="How a task stands against its deadline.")
class Sla:
    policy: str = strawberry.field(description="The promise that set the deadline.")
    policy_version: int = strawberry.field(
        description="Version of the care plan it was taken from; 0: the default."
    )
    due_at: datetime = strawberry.field(description="The deadline; its own instant is still in time.")
    zone: str = strawberry.field(description="The zone in which the promise is read.")
    state: SlaState = strawberry.field(description="Where it stands.")
    remaining_seconds: int = strawberry.field(
        description="Seconds left, whole and rounded down; negative when past."
    )
    satisfied_at: datetime | None = strawberry.field(description="When the promise was kept.")
    breached_at: datetime | None = strawberry.field(description="When it was broken.")


@row_type(tasks.Escalation, description="One rung of a ladder that was climbed.")
class Escalation:
    rung: int = strawberry.field(description="Which rung, from 1.")
    due_at: datetime = strawberry.field(description="When it was due.")
    acted_at: datetime = strawberry.field(description="When it was climbed, in business time.")
    to_role: Role = strawberry.field(description="The role that was told.")
    process_id: int = strawberry.field(description="The worker process that did it.")

    @strawberry.field(
        description="Who was told; null when nobody has the role.", metadata=one(workspaces.User, "user_id")
    )
    async def user(self: Any, info: Info) -> User | None:
        return cast(User | None, await load(info, workspaces.User.by_ids, self.user_id))


@strawberry.type(description="How the work ended.")
class TaskOutcome:
    result: TaskResult | None = strawberry.field(description="What came of it; null for a cancelled task.")
    note: str | None = strawberry.field(
        description="What was said. Masked for roles that do not see personal data."
    )
    reason: str | None = strawberry.field(
        description="Why it was cancelled. Masked for roles that do not see personal data."
    )
    smoothness_of_use: int | None = strawberry.field(description="Call-back: how smoothly it works, 1 to 5.")
    need_satisfaction: int | None = strawberry.field(
        description="Call-back: how well it meets the need, 1 to 5."
    )


@node_type(tasks.Task, description="One piece of human work.", visible=tasks.visible_by_ids)
class Task(Node):
    kind: TaskKind = strawberry.field(description="What the work is.")
    title: str = strawberry.field(description="Its title.")
    script: str = strawberry.field(description="What to say or do.")
    state: TaskState = strawberry.field(description="Where it stands.")
    priority: Priority = strawberry.field(description="How urgent it is; an escalation raises it.")
    channel: Channel | None = strawberry.field(
        description="How to reach the customer; null: not by a channel."
    )
    contact_at: datetime | None = strawberry.field(
        description="The first instant at which the customer welcomes it."
    )
    due_at: datetime = strawberry.field(description="The deadline; its own instant is still in time.")
    snoozed_until: datetime | None = strawberry.field(description="Until when it is put off.")
    closed_at: datetime | None = strawberry.field(description="When it was done or cancelled.")
    created_at: datetime = strawberry.field(description="When it was opened.")
    updated_at: datetime = strawberry.field(description="When it last changed.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="Whom the work is for.", metadata=one(customers.Customer, "customer_id"))
    async def customer(self: Any, info: Info) -> Customer:
        return cast(Customer, await load(info, customers.by_ids, self.customer_id))

    @strawberry.field(
        description="Who does it; null: whoever takes it.", metadata=one(workspaces.User, "assignee_id")
    )
    async def assignee(self: Any, info: Info) -> User | None:
        return cast(User | None, await load(info, workspaces.User.by_ids, self.assignee_id))

    @strawberry.field(description="The team that does it.", metadata=one(workspaces.Team, "team_id"))
    async def team(self: Any, info: Info) -> Team | None:
        return cast(Team | None, await load(info, workspaces.Team.by_ids, self.team_id))

    @strawberry.field(
        description="Whether the deadline has passed and the task is not satisfied.",
        metadata=reads("state", "satisfied_at", "due_at"),
    )
    async def overdue(self: Any, info: Info) -> bool:
        return tasks.overdue(self, await business_now(info))

    @strawberry.field(
        description="How it stands against its deadline.",
        metadata=reads(
            "workspace_id", "policy", "policy_number", "due_at", "state", "satisfied_at", "breached_at"
        ),
    )
    async def sla(self: Any, info: Info) -> Sla:
        now = await business_now(info)
        workspace = await load(info, _workspaces, self.workspace_id)
        assert workspace is not None
        return Sla(
            policy=self.policy,
            policy_version=self.policy_number,
            due_at=self.due_at,
            zone=workspace.zone,
            state=tasks.sla_state(self, now),
            remaining_seconds=int((self.due_at - (self.satisfied_at or now)).total_seconds() // 1),
            satisfied_at=self.satisfied_at,
            breached_at=self.breached_at,
        )

    @strawberry.field(description="The rungs that were climbed.", metadata=reads("id"))
    async def escalations(self: Any, info: Info) -> list[Escalation]:
        return cast(list[Escalation], await load(info, tasks.escalations_by_task, self.id) or [])

    @strawberry.field(
        description="What the contact policy said when it was opened.", metadata=reads("decision_id")
    )
    async def contact_decision(self: Any, info: Info) -> ContactDecision | None:
        return cast(ContactDecision | None, await load(info, contacts.decisions_by_ids, self.decision_id))

    @strawberry.field(description="How it ended; null while it is open.", metadata=reads("outcome"))
    def outcome(self: Any, info: Info) -> TaskOutcome | None:
        kept = self.outcome
        if kept is None:
            return None
        return TaskOutcome(
            result=TaskResult(kept["result"]) if "result" in kept else None,
            note=masked(kept.get("note"), info),
            reason=masked(kept.get("reason"), info),
            smoothness_of_use=kept.get("smoothness_of_use"),
            need_satisfaction=kept.get("need_satisfaction"),
        )


async def _workspaces(workspace_id: int, ids: list[int]) -> dict[int, workspaces.Workspace]:
    return {workspace_id: await workspaces.get(workspace_id)}


@strawberry.input(description="Which tasks.")
class TaskWhere:
    state: EnumFilter[TaskState] | None = strawberry.field(default=strawberry.UNSET, description="By state.")
    kind: EnumFilter[TaskKind] | None = strawberry.field(default=strawberry.UNSET, description="By kind.")
    priority: EnumFilter[Priority] | None = strawberry.field(
        default=strawberry.UNSET, description="By priority."
    )
    customer: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By customer.")
    assignee: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By assignee.")
    team: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By team.")
    campaign: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By campaign.")
    due_at: DateTimeFilter | None = strawberry.field(default=strawberry.UNSET, description="By deadline.")
    period: StringFilter | None = strawberry.field(
        default=strawberry.UNSET,
        description="By the visit period whose quota it fills, such as GOLD:2025-03-01.",
    )
    overdue: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Open, unsatisfied and past their deadline in business time; false: the others.",
    )
    and_: list["TaskWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="and", description="All of these."
    )
    or_: list["TaskWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="or", description="At least one of these."
    )
    not_: "TaskWhere | None" = strawberry.field(default=strawberry.UNSET, name="not", description="Not this.")


COLUMNS: dict[str, Any] = {
    "state": "state",
    "kind": "kind",
    "priority": "priority",
    "customer": ("customer_id", "Customer"),
    "assignee": ("assignee_id", "User"),
    "team": ("team_id", "Team"),
    "campaign": ("campaign_id", "Campaign"),
    "due_at": "due_at",
    "period": "period_key",
}


async def task_q(info: Info, where: TaskWhere | None) -> Q:
    """The condition of a `where` on tasks, as of business time now."""
    if where is None:
        return Q()
    late = tasks.overdue_at(await business_now(info))
    overdue: Column = lambda wanted: late if wanted else Q(~late, Q(id__isnull=False))  # noqa: E731
    return where_q(where, {**COLUMNS, "overdue": overdue})


@strawberry.type(description="A customer's visits in the present period of their tier.")
class VisitQuota:
    tier: RfmTier = strawberry.field(description="The care tier that promises them.")
    required: int = strawberry.field(description="Visits promised in the period.")
    done: int = strawberry.field(description="Visits done in which the customer was reached.")
    remaining: int = strawberry.field(description="Visits still to do.")
    state: QuotaState = strawberry.field(description="How they stand.")
    period_start: datetime = strawberry.field(description="When the period began.")
    period_end: datetime = strawberry.field(description="When the next period begins.")


@extends(Customer)
class CustomerTasks:
    @strawberry.field(
        description="Work for this customer, the earliest deadline first, as the caller may see it.",
        metadata=EACH,
    )
    async def tasks(
        self: Any,
        info: Info,
        where: Annotated[TaskWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Task]:
        found = tasks.visible(who(info)).filter(await task_q(info, where))
        order, page = Order("due_at"), part(first, last, after, before)
        return cast(Connection[Task], await nested(info, "tasks", found, "customer_id", self.id, order, page))

    @strawberry.field(
        description="Visits promised and done in this period; null while not yet placed in a tier.",
        metadata=reads("id", "workspace_id"),
    )
    async def visit_quota(self: Any, info: Info) -> VisitQuota | None:
        quota = await load(info, tasks.quotas, self.id)
        workspace = await load(info, _workspaces, self.workspace_id)
        if quota is None or workspace is None:
            return None
        start, end = quota.period.bounds(timekeeping.zone(workspace.zone))
        return VisitQuota(
            tier=quota.tier,
            required=quota.required,
            done=quota.done,
            remaining=quota.remaining,
            state=quota.state,
            period_start=start,
            period_end=end,
        )
