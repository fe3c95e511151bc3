"""Opens one task per member of a campaign's segment: killed, doubled or repeated, still one each."""

from datetime import timedelta
from typing import Any

from domain import db, runs, segments, tasks, timekeeping
from domain.campaigns.models import Campaign, CampaignState
from domain.contacts import Purpose
from domain.runs import Work
from domain.tasks import Draft, TaskKind

KIND = "campaign_launch"
BATCH = 500


@runs.kind(KIND)
async def _perform(work: Work) -> dict[str, Any]:
    campaign = await Campaign.load(work.workspace_id, work.args["campaign_id"])
    cursor = work.cursor
    if not cursor:
        total = await segments.member_count(work.workspace_id, campaign.segment_id)
        cursor = {"after": 0, "opened": 0, "refused": 0}
        async with work.step(cursor, done=0, total=total, unit="customers", message=campaign.name):
            pass
    while True:
        members = await segments.member_ids_after(
            work.workspace_id, campaign.segment_id, cursor["after"], BATCH
        )
        if not members:
            return {"opened": cursor["opened"], "refused": cursor["refused"]}
        async with work.step(done=work.run.progress_done + len(members)) as step:
            # Held until this batch commits, so that closing the campaign comes wholly before or after it.
            lock = "FOR SHARE" if db.is_postgres() else ""
            state = await db.value(
                f"SELECT state FROM campaigns WHERE workspace_id = :workspace AND id = :id {lock}",
                workspace=work.workspace_id,
                id=campaign.id,
            )
            if state != CampaignState.ACTIVE.value:
                raise runs.Cancelled
            opened, refused = await _enrol(work, campaign, members)
            cursor = {
                "after": members[-1],
                "opened": cursor["opened"] + opened,
                "refused": cursor["refused"] + refused,
            }
            step.cursor = cursor


async def _enrol(work: Work, campaign: Campaign, members: list[int]) -> tuple[int, int]:
    """Enrol those who are not, and open their tasks; the enrolment's key is what makes it once."""
    now = await timekeeping.now(work.workspace_id)
    fresh = await db.insert_many(
        "enrolments",
        [
            {
                "workspace_id": work.workspace_id,
                "campaign_id": campaign.id,
                "customer_id": customer_id,
                "verdict": "ENROLLED",
                "enrolled_at": now,
            }
            for customer_id in members
        ],
        then="ON CONFLICT (workspace_id, campaign_id, customer_id) DO NOTHING",
        returning="customer_id",
    )
    drafts = [
        Draft(
            kind=TaskKind.CAMPAIGN,
            customer_id=row["customer_id"],
            title=campaign.task_title,
            script=campaign.script,
            dedupe_key=f"campaign:{campaign.id}:{row['customer_id']}",
            due_at=now + timedelta(hours=campaign.due_within_hours),
            contact_at=now,
            channel=campaign.channel,
            purpose=Purpose.MARKETING,
            campaign_id=campaign.id,
        )
        for row in fresh
    ]
    opened = await tasks.open_many(work.who, drafts)
    await db.execute(
        """UPDATE enrolments SET task_id = (
             SELECT t.id FROM tasks t WHERE t.workspace_id = enrolments.workspace_id
               AND t.campaign_id = enrolments.campaign_id AND t.customer_id = enrolments.customer_id)
           WHERE workspace_id = :workspace AND campaign_id = :campaign AND customer_id IN :members
             AND task_id IS NULL""",
        workspace=work.workspace_id,
        campaign=campaign.id,
        members=members,
    )
    return len(opened.task_ids), len(opened.refused)
