"""Opens work: once per reason, on a channel and at an hour that the customer welcomes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain import contacts, customers, db, journal, timekeeping, workspaces
from domain.access import Principal
from domain.contacts import Channel, ContactDecision, Purpose, Verdict
from domain.errors import Invalid, NotFound, Reasons, Required
from domain.journal import Entry
from domain.language import Label
from domain.tasks.care import Care, CarePolicy, policy, rung_at
from domain.tasks.errors import ChannelRefused
from domain.tasks.models import OPEN_STATES, Priority, Task, TaskKind

TITLES = {
    TaskKind.FIRST_TOUCH: Label("First touch", "首次联系"),
    TaskKind.POST_DELIVERY_CALLBACK: Label("Post-delivery call-back", "交付后回访"),
    TaskKind.VISIT: Label("Return visit", "客户回访"),
}

LONGEST = {"title": 200, "script": 10_000, "dedupe_key": 128}
"""Characters of each text of a task."""


@dataclass(frozen=True)
class Draft:
    """Work about to be opened.

    `always` opens it even where no channel is left, without one: the duty remains, the way does not.
    """

    kind: TaskKind
    customer_id: int
    title: str
    dedupe_key: str
    due_at: datetime
    contact_at: datetime
    channel: Channel | None
    purpose: Purpose = Purpose.SERVICE
    personal: bool = True
    priority: Priority = Priority.NORMAL
    script: str = ""
    assignee_id: int | None = None
    team_id: int | None = None
    campaign_id: int | None = None
    period_key: str | None = None
    always: bool = False


@dataclass(frozen=True)
class Opened:
    """What became of each draft, by its dedupe key: the new task's id, or the contact policy's no."""

    task_ids: dict[str, int]
    refused: dict[str, ContactDecision]


async def open_many(
    who: Principal, drafts: Sequence[Draft], care: CarePolicy | None = None, *, to_owners: bool = True
) -> Opened:
    """Open a batch of work in a constant number of statements, in the caller's transaction.

    A draft whose reason has an open task already opens nothing. Work that is nobody's becomes that of
    whoever looks after the customer, and of their team.
    """
    assert db.in_transaction()
    care = care or await policy(who.workspace_id)
    known = await _open_keys(who.workspace_id, [draft.dedupe_key for draft in drafts])
    fresh = list({d.dedupe_key: d for d in drafts if d.dedupe_key not in known}.values())
    if to_owners:
        fresh = await _given_to_owners(who.workspace_id, fresh)
    decisions = await _decide(who, fresh)
    refused = {key: decision for key, decision in decisions.items() if decision.verdict is Verdict.REFUSED}
    now = await timekeeping.now(who.workspace_id)
    wanted = [draft for draft in fresh if draft.always or draft.dedupe_key not in refused]
    made = await db.insert_many(
        "tasks",
        [_row(who.workspace_id, draft, decisions.get(draft.dedupe_key), care, now) for draft in wanted],
        then="ON CONFLICT (workspace_id, dedupe_key) "
        "WHERE state IN ('OPEN', 'IN_PROGRESS', 'SNOOZED') DO NOTHING",
        returning="id, dedupe_key, customer_id",
    )
    await journal.write_all(who, [Entry("task.opened", row["id"], row["customer_id"]) for row in made])
    return Opened({row["dedupe_key"]: row["id"] for row in made}, refused)


async def _open_keys(workspace_id: int, keys: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(keys), 1000):
        rows = await db.rows(
            """SELECT dedupe_key FROM tasks WHERE workspace_id = :workspace AND dedupe_key IN :keys
                 AND state IN ('OPEN', 'IN_PROGRESS', 'SNOOZED')""",
            workspace=workspace_id,
            keys=list(keys[start : start + 1000]),
        )
        found |= {row["dedupe_key"] for row in rows}
    return found


async def _given_to_owners(workspace_id: int, drafts: Sequence[Draft]) -> list[Draft]:
    free = {d.customer_id for d in drafts if d.assignee_id is None and d.team_id is None}
    owned = await db.rows(
        """SELECT c.id, c.owner_id, (SELECT MIN(m.team_id) FROM team_members m
             WHERE m.workspace_id = u.workspace_id AND m.user_id = u.id) AS team_id
           FROM customers c JOIN users u ON u.workspace_id = c.workspace_id AND u.id = c.owner_id
           WHERE c.workspace_id = :workspace AND c.id IN :customers AND u.active = :active""",
        workspace=workspace_id,
        customers=free,
        active=True,
    )
    owners = {row["id"]: {"assignee_id": row["owner_id"], "team_id": row["team_id"]} for row in owned}
    return [
        replace(draft, **owners[draft.customer_id])
        if draft.customer_id in owners and draft.assignee_id is None and draft.team_id is None
        else draft
        for draft in drafts
    ]


async def _decide(who: Principal, drafts: Sequence[Draft]) -> dict[str, ContactDecision]:
    asking = [draft for draft in drafts if draft.channel is not None]
    requests = [
        contacts.Request(
            customer_id=draft.customer_id,
            channel=draft.channel,
            at=draft.contact_at,
            purpose=draft.purpose,
            personal=draft.personal,
        )
        for draft in asking
        if draft.channel is not None
    ]
    answers = await contacts.plan(who, requests)
    return {draft.dedupe_key: answer for draft, answer in zip(asking, answers, strict=True)}


def _row(
    workspace_id: int, draft: Draft, decision: ContactDecision | None, care: CarePolicy, now: datetime
) -> dict[str, Any]:
    channel = decision.channel if decision is not None else None
    contact_at = decision.at if decision is not None and decision.at is not None else draft.contact_at
    plan: Care = care.care
    return {
        "workspace_id": workspace_id,
        "version": 1,
        "kind": draft.kind.value,
        "state": OPEN_STATES[0].value,
        "title": draft.title,
        "script": draft.script,
        "channel": channel.value if channel else None,
        "priority": draft.priority.value,
        "customer_id": draft.customer_id,
        "assignee_id": draft.assignee_id,
        "team_id": draft.team_id,
        "campaign_id": draft.campaign_id,
        "decision_id": decision.id if decision else None,
        "dedupe_key": draft.dedupe_key,
        "period_key": draft.period_key,
        "contact_at": contact_at,
        "due_at": draft.due_at,
        "policy": draft.kind.value,
        "policy_number": care.number,
        "next_escalation_at": rung_at(draft.due_at, plan.rungs(draft.kind), 0),
        "rung": 0,
        "attempts": 0,
        "created_at": now,
        "updated_at": now,
    }


async def create(who: Principal, draft: Draft) -> tuple[Task, bool]:
    """Open one task; the open task of the same reason where there is one, and whether it is new.

    It is whose it is said to be: one for nobody stays nobody's.

    Raises:
        NotFound: its customer, assignee or team is not of this workspace.
        ChannelRefused: the customer can be reached by no channel for this; nothing is opened.
    """
    await _check(who, draft)
    async with db.transaction():
        opened = await open_many(who, [draft], to_owners=False)
        if draft.dedupe_key in opened.refused and not draft.always:
            reasons = opened.refused[draft.dedupe_key].reasons
            raise ChannelRefused(
                f"the contact policy refuses this: {reasons[0]['rule']}", field="input.channel"
            )
        task = await Task.get(
            workspace_id=who.workspace_id, dedupe_key=draft.dedupe_key, state__in=list(OPEN_STATES)
        )
    return task, draft.dedupe_key in opened.task_ids


async def _check(who: Principal, draft: Draft) -> None:
    """Refuse what will not do, all of it at once."""
    reasons, workspace_id = Reasons(), who.workspace_id
    with reasons.gathered():
        if not draft.title.strip():
            raise Required("a task needs a title", field="input.title")
    for name, field in (("title", "title"), ("script", "script"), ("dedupe_key", "dedupeKey")):
        with reasons.gathered():
            if len(getattr(draft, name)) > LONGEST[name]:
                raise Invalid(f"{field} has at most {LONGEST[name]} characters", field=f"input.{field}")
    with reasons.gathered():
        await customers.living(who, draft.customer_id, "input.customerId")
    assignee, team = draft.assignee_id, draft.team_id
    with reasons.gathered():
        if assignee is not None and await workspaces.find_staff(workspace_id, assignee) is None:
            raise NotFound("no such member of staff", field="input.assigneeId")
    with reasons.gathered():
        if team is not None and await workspaces.Team.find(workspace_id, team) is None:
            raise NotFound("no such team", field="input.teamId")
    reasons.refuse()


async def _title(workspace_id: int, kind: TaskKind) -> str:
    return TITLES[kind]((await workspaces.get(workspace_id)).language)


async def open_first_touch(
    who: Principal, *, lead_id: int, customer_id: int, acquired_at: datetime, assignee_id: int | None = None
) -> None:
    """First contact with a lead within 24 hours of its being gained (S0-22)."""
    care = await policy(who.workspace_id)
    await open_many(
        who,
        [
            Draft(
                kind=TaskKind.FIRST_TOUCH,
                customer_id=customer_id,
                title=await _title(who.workspace_id, TaskKind.FIRST_TOUCH),
                dedupe_key=f"first_touch:{lead_id}",
                due_at=acquired_at + care.care.within(TaskKind.FIRST_TOUCH),
                contact_at=max(acquired_at, await timekeeping.now(who.workspace_id)),
                channel=Channel.PHONE,
                priority=Priority.HIGH,
                assignee_id=assignee_id,
                always=True,
            )
        ],
        care,
    )


async def open_callback(who: Principal, *, order_id: int, customer_id: int, delivered_at: datetime) -> None:
    """Call back within 72 hours of a delivery (S0-27)."""
    care = await policy(who.workspace_id)
    await open_many(
        who,
        [
            Draft(
                kind=TaskKind.POST_DELIVERY_CALLBACK,
                customer_id=customer_id,
                title=await _title(who.workspace_id, TaskKind.POST_DELIVERY_CALLBACK),
                dedupe_key=f"callback:{order_id}",
                due_at=delivered_at + care.care.within(TaskKind.POST_DELIVERY_CALLBACK),
                contact_at=max(delivered_at, await timekeeping.now(who.workspace_id)),
                channel=Channel.PHONE,
                always=True,
            )
        ],
        care,
    )
