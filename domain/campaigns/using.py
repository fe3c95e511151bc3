"""Says which campaigns work with a segment, and what they would do for those who enter it."""

from domain import db, segments
from domain.campaigns.models import Campaign, CampaignState


@segments.used_by
async def campaigns_of(workspace_id: int, segment_id: int) -> str | None:
    """How many campaigns that are not closed are planned on the segment, as a refusal says it."""
    planned = await Campaign.filter(
        workspace_id=workspace_id, segment_id=segment_id, state__not=CampaignState.CLOSED
    ).count()
    return f"campaigns that are not closed work with it: {planned}" if planned else None


@segments.foresees(segments.Outcome.TASKS_OPENED)
async def tasks_of(entering: segments.Entering) -> int:
    """How many tasks the active campaigns of the segment would open for them, once activated again."""
    return int(
        await db.value(
            f"""SELECT COUNT(*) FROM campaigns k, ({entering.query}) coming
                WHERE k.workspace_id = :workspace AND k.segment_id = :segment AND k.state = 'ACTIVE'
                  AND NOT EXISTS (SELECT 1 FROM enrolments n WHERE n.workspace_id = :workspace
                    AND n.campaign_id = k.id AND n.customer_id = coming.id)""",
            **entering.params,
        )
    )
