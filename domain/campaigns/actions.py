"""Plans a campaign, sets it going, pauses and closes it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from domain import db, journal, runs, segments, timekeeping, workspaces
from domain.access import Principal
from domain.campaigns.launch import KIND
from domain.campaigns.models import Campaign, CampaignState
from domain.contacts import Channel
from domain.errors import DomainError, ErrorCode, Invalid, NotFound, Problem, Reasons
from domain.journal import Entry
from domain.runs import Run

LONGEST_HOURS = 24 * 90
LONGEST = {"name": 120, "task_title": 200, "script": 10_000, "goal_kpi": 64}
FIELDS = {"name": "name", "task_title": "taskTitle", "script": "script", "goal_kpi": "goalKpi"}
"""A plan's texts: how many characters each may have, and its name in the API."""


class CampaignClosed(DomainError):
    """A closed campaign stays closed."""

    code = ErrorCode.CLOSED


class GoalMissing(DomainError):
    """A campaign is set going with a goal KPI, its baseline and target, and a date (S1-02)."""

    code = ErrorCode.NOT_READY


@dataclass(frozen=True)
class Plan:
    """What a campaign is to be."""

    name: str
    segment_id: int
    channel: Channel
    task_title: str
    script: str = ""
    owner_id: int | None = None
    goal_kpi: str | None = None
    baseline: Decimal | None = None
    target: Decimal | None = None
    target_on: date | None = None
    due_within_hours: int = 72


async def create(who: Principal, plan: Plan) -> Campaign:
    """A campaign in DRAFT: nothing happens until it is activated."""
    await _check(who, plan)
    now = await timekeeping.now(who.workspace_id)
    async with db.transaction():
        await segments.hold_standing(who.workspace_id, plan.segment_id, "input.segmentId")
        campaign = await Campaign.create(
            workspace_id=who.workspace_id, created_at=now, updated_at=now, **plan.__dict__
        )
        await journal.write(who, Entry("campaign.created", campaign.id))
    return campaign


async def _check(who: Principal, plan: Plan) -> None:
    """Refuse what will not do, all of it at once."""
    reasons = Reasons()
    for name, longest in LONGEST.items():
        with reasons.gathered():
            if len(getattr(plan, name) or "") > longest:
                raise Invalid(f"at most {longest} characters", field=f"input.{FIELDS[name]}")
    for name, needed in (("name", "a name"), ("task_title", "a title for its tasks")):
        with reasons.gathered():
            if not getattr(plan, name).strip():
                raise Invalid(f"a campaign needs {needed}", field=f"input.{FIELDS[name]}")
    with reasons.gathered():
        if not 1 <= plan.due_within_hours <= LONGEST_HOURS:
            raise Invalid(f"between 1 and {LONGEST_HOURS} hours", field="input.dueWithinHours")
    for name, share in (("baseline", plan.baseline), ("target", plan.target)):
        with reasons.gathered():
            if share is not None and not 0 <= share <= 1:
                raise Invalid(f"{name} is a share from 0 to 1", field=f"input.{name}")
    with reasons.gathered():
        if await segments.Segment.find(who.workspace_id, plan.segment_id) is None:
            raise NotFound("no such segment", field="input.segmentId")
    with reasons.gathered():
        owner = plan.owner_id
        if owner is not None and await workspaces.find_staff(who.workspace_id, owner) is None:
            raise NotFound("no such member of staff", field="input.ownerId")
    reasons.refuse()


async def activate(
    who: Principal, campaign_id: int, expected_version: int | None = None
) -> tuple[Campaign, Run]:
    """Set a campaign going, or on again after a pause; its run opens one task per member of the segment.

    Activating an active campaign reaches those who have joined the segment since, and nobody twice.
    """
    async with db.transaction():
        campaign = await _open(who, campaign_id, expected_version)
        _check_goal(campaign)
        now = await timekeeping.now(who.workspace_id)
        if campaign.state is not CampaignState.ACTIVE:
            await campaign.must_change(
                {"state": campaign.state},
                state=CampaignState.ACTIVE,
                activated_at=campaign.activated_at or now,
                updated_at=now,
            )
            await journal.write(who, Entry("campaign.activated", campaign.id))
        run = await runs.enqueue(who, KIND, {"campaign_id": campaign.id}, unique_key=str(campaign.id))
    return campaign, run


async def pause(who: Principal, campaign_id: int, expected_version: int | None = None) -> Campaign:
    """Open no further tasks; those that are open stay. Pausing again changes nothing."""
    async with db.transaction():
        campaign = await _open(who, campaign_id, expected_version)
        if campaign.state is CampaignState.PAUSED:
            return campaign
        if campaign.state is not CampaignState.ACTIVE:
            raise Invalid("only an active campaign can be paused", field="id")
        now = await timekeeping.now(who.workspace_id)
        await campaign.must_change({"state": campaign.state}, state=CampaignState.PAUSED, updated_at=now)
        await journal.write(who, Entry("campaign.paused", campaign.id))
    return campaign


async def close(who: Principal, campaign_id: int, expected_version: int | None = None) -> Campaign:
    """End a campaign and cancel its open tasks, in one transaction."""
    async with db.transaction():
        campaign = await _open(who, campaign_id, expected_version)
        now = await timekeeping.now(who.workspace_id)
        await campaign.must_change(
            {"state": campaign.state}, state=CampaignState.CLOSED, closed_at=now, updated_at=now
        )
        cancelled = await db.rows(
            """UPDATE tasks SET state = 'CANCELLED', outcome = :outcome, next_escalation_at = NULL,
                 snoozed_until = NULL, closed_at = :now, updated_at = :now, version = version + 1
               WHERE workspace_id = :workspace AND campaign_id = :campaign
                 AND state IN ('OPEN', 'IN_PROGRESS', 'SNOOZED') RETURNING id, customer_id""",
            outcome=db.encode({"reason": "CAMPAIGN_CLOSED"}),
            now=now,
            workspace=who.workspace_id,
            campaign=campaign.id,
        )
        entries = [Entry("task.cancelled", row["id"], row["customer_id"]) for row in cancelled]
        await journal.write_all(who, [Entry("campaign.closed", campaign.id), *entries])
    return campaign


async def _open(who: Principal, campaign_id: int, expected_version: int | None) -> Campaign:
    campaign = await Campaign.load(who.workspace_id, campaign_id)
    campaign.expect(expected_version)
    if campaign.state is CampaignState.CLOSED:
        raise CampaignClosed("this campaign is closed", current=campaign)
    return campaign


def _check_goal(campaign: Campaign) -> None:
    needed = {
        "goalKpi": campaign.goal_kpi,
        "baseline": campaign.baseline,
        "target": campaign.target,
        "targetOn": campaign.target_on,
    }
    missing = [
        Problem(ErrorCode.NOT_READY, f"set {name} before the campaign is activated", (name,))
        for name, value in needed.items()
        if value is None
    ]
    if missing:
        raise GoalMissing.of(missing)
