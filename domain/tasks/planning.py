"""Opens the visits that are due, customer by customer in batches, as a run that can be killed anywhere."""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain import db, journal, runs, timekeeping, workspaces
from domain.access import PLANNERS, Principal, Role
from domain.contacts import Channel, Purpose
from domain.errors import Forbidden
from domain.journal import Entry
from domain.runs import Run, Work
from domain.segments import RfmTier
from domain.tasks.cadence import Known, Plan, Quota, dedupe_key, period_key, plan
from domain.tasks.care import CarePolicy, policy
from domain.tasks.models import Priority, TaskKind
from domain.tasks.opening import TITLES, Draft, open_many
from domain.timekeeping import period_of

KIND = "cadence_plan"
BATCH = 500
OPENS_AT, CLOSES_AT = time(9, 0), time(18, 0)
CHANNELS = {RfmTier.GOLD: Channel.PHONE, RfmTier.SILVER: Channel.SMS, RfmTier.BRONZE: Channel.EMAIL}


async def plan_visits(who: Principal) -> Run:
    """Ask for a planning run; those who ask while one waits get that one."""
    if who.role not in PLANNERS | {Role.OWNER}:
        raise Forbidden("planning visits is for planners and admins")
    return await runs.enqueue(who, KIND, unique_key="all")


@runs.kind(KIND, queue="recompute", schedulable=True, unique_key="all")
async def _perform(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    tz = timekeeping.zone(workspace.zone)
    care = await policy(work.workspace_id)
    cursor = work.cursor
    if not cursor:
        total = await db.value(
            "SELECT count(*) AS n FROM placements WHERE workspace_id = :workspace",
            workspace=work.workspace_id,
        )
        now = await timekeeping.now(work.workspace_id)
        cursor = {"at": now.isoformat(), "after": 0, "opened": 0, "cancelled": 0}
        async with work.step(cursor, done=0, total=total, unit="customers", message="visits"):
            pass
    now = datetime.fromisoformat(cursor["at"])
    title = TITLES[TaskKind.VISIT](workspace.language)
    while True:
        batch = await db.rows(
            """SELECT customer_id, tier FROM placements
               WHERE workspace_id = :workspace AND customer_id > :after
               ORDER BY customer_id LIMIT :limit""",
            workspace=work.workspace_id,
            after=cursor["after"],
            limit=BATCH,
        )
        if not batch:
            return {"opened": cursor["opened"], "cancelled": cursor["cancelled"]}
        tiers = {row["customer_id"]: RfmTier(row["tier"]) for row in batch}
        async with work.step(done=work.run.progress_done + len(batch)) as step:
            opened, cancelled = await _plan_batch(work.who, tiers, care, tz, now, title)
            cursor = {
                **cursor,
                "after": batch[-1]["customer_id"],
                "opened": cursor["opened"] + opened,
                "cancelled": cursor["cancelled"] + cancelled,
            }
            step.cursor = cursor


async def _plan_batch(
    who: Principal, tiers: dict[int, RfmTier], care: CarePolicy, tz: ZoneInfo, now: datetime, title: str
) -> tuple[int, int]:
    today = timekeeping.local_day(now, tz)
    known, done = await _visits(who.workspace_id, tiers, care, tz, today)
    drafts: list[Draft] = []
    cancel: list[int] = []
    for customer_id, tier in tiers.items():
        cadence = care.care.cadence(tier)
        planned = plan(
            customer_id,
            tier,
            cadence,
            today,
            done.get(customer_id, 0),
            known.get(customer_id, []),
            care.care.visit_horizon_days,
        )
        cancel += planned.cancel
        drafts += [
            _draft(customer_id, tier, planned, slot, day, tz, now, title, cadence.personal)
            for slot, day in planned.open
        ]
    cancelled = await _cancel(who, cancel, now)
    opened = await open_many(who, drafts, care)
    return len(opened.task_ids), cancelled


def _draft(
    customer_id: int,
    tier: RfmTier,
    planned: Plan,
    slot: int,
    day: date,
    tz: ZoneInfo,
    now: datetime,
    title: str,
    personal: bool,
) -> Draft:
    due = datetime.combine(day, CLOSES_AT, tz)
    if due <= now:
        due = datetime.combine(day + timedelta(days=1), CLOSES_AT, tz)
    return Draft(
        kind=TaskKind.VISIT,
        customer_id=customer_id,
        title=title,
        dedupe_key=dedupe_key(customer_id, tier, planned.period, slot),
        due_at=due,
        contact_at=max(now, datetime.combine(day, OPENS_AT, tz)),
        channel=CHANNELS[tier],
        purpose=Purpose.SERVICE if personal else Purpose.MARKETING,
        personal=personal,
        priority=Priority.NORMAL if tier is RfmTier.GOLD else Priority.LOW,
        period_key=period_key(tier, planned.period),
    )


async def _visits(
    workspace_id: int, tiers: dict[int, RfmTier], care: CarePolicy, tz: ZoneInfo, today: date
) -> tuple[dict[int, list[Known]], dict[int, int]]:
    """The customers' open visits and those done in their tier's period, in one statement."""
    starts = {tier: period_of(today, care.care.cadence(tier).months).bounds(tz)[0] for tier in RfmTier}
    found = await db.rows(
        """SELECT id, customer_id, dedupe_key, state, due_at, closed_at, outcome FROM tasks
           WHERE workspace_id = :workspace AND customer_id IN :customers AND kind = 'VISIT'
             AND (state IN ('OPEN', 'IN_PROGRESS', 'SNOOZED') OR (state = 'DONE' AND closed_at >= :since))""",
        workspace=workspace_id,
        customers=list(tiers),
        since=min(starts.values()),
    )
    known: dict[int, list[Known]] = defaultdict(list)
    done: dict[int, int] = defaultdict(int)
    for row in found:
        customer_id, is_open = row["customer_id"], row["state"] != "DONE"
        day = timekeeping.local_day(db.instant_of(row["due_at"]), tz)
        known[customer_id].append(Known(row["id"], row["dedupe_key"], is_open, day))
        if not is_open and db.instant_of(row["closed_at"]) >= starts[tiers[customer_id]]:
            done[customer_id] += db.document_of(row["outcome"])["result"] == "REACHED"
    return known, done


async def _cancel(who: Principal, task_ids: list[int], now: datetime) -> int:
    cancelled = 0
    for start in range(0, len(task_ids), BATCH):
        rows = await db.rows(
            """UPDATE tasks SET state = 'CANCELLED', outcome = :outcome, next_escalation_at = NULL,
                 snoozed_until = NULL, closed_at = :now, updated_at = :now, version = version + 1
               WHERE workspace_id = :workspace AND id IN :ids
                 AND state IN ('OPEN', 'IN_PROGRESS', 'SNOOZED') RETURNING id, customer_id""",
            outcome=db.encode({"reason": "NO_LONGER_DUE"}),
            now=now,
            workspace=who.workspace_id,
            ids=task_ids[start : start + BATCH],
        )
        await journal.write_all(who, [Entry("task.cancelled", r["id"], r["customer_id"]) for r in rows])
        cancelled += len(rows)
    return cancelled


async def quotas(workspace_id: int, customer_ids: list[int]) -> dict[int, Quota]:
    """How each placed customer's visits stand now."""
    workspace = await workspaces.get(workspace_id)
    tz = timekeeping.zone(workspace.zone)
    today = timekeeping.local_day(await timekeeping.now(workspace_id), tz)
    care = await policy(workspace_id)
    placed = await db.rows(
        """SELECT customer_id, tier FROM placements
           WHERE workspace_id = :workspace AND customer_id IN :customers""",
        workspace=workspace_id,
        customers=customer_ids,
    )
    tiers = {row["customer_id"]: RfmTier(row["tier"]) for row in placed}
    _, done = await _visits(workspace_id, tiers, care, tz, today) if tiers else ({}, {})
    return {
        customer_id: Quota(
            tier=tier,
            period=period_of(today, care.care.cadence(tier).months),
            required=care.care.cadence(tier).visits,
            done=done.get(customer_id, 0),
            day=today,
        )
        for customer_id, tier in tiers.items()
    }
