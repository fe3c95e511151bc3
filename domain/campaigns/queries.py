"""Asks about campaigns."""

from dataclasses import dataclass

from tortoise.expressions import Q

from domain import db
from domain.access import Principal
from domain.campaigns.models import Campaign
from domain.paging import Order, Page, Slice
from domain.paging import page as paged


@dataclass(frozen=True)
class Counts:
    """How far a campaign has come: customers enrolled, those refused by contact policy, tasks done."""

    enrolled: int
    refused: int
    done: int


async def find(who: Principal, campaign_id: int) -> Campaign | None:
    return await Campaign.find(who.workspace_id, campaign_id)


async def page(who: Principal, where: Q, order: Order, part: Slice) -> Page[Campaign]:
    return await paged(Campaign.filter(where, workspace_id=who.workspace_id), order, part)


async def counts_by_campaign(workspace_id: int, campaign_ids: list[int]) -> dict[int, Counts]:
    found = await db.rows(
        """SELECT e.campaign_id, count(*) AS enrolled,
             count(CASE WHEN e.task_id IS NULL THEN 1 END) AS refused,
             count(CASE WHEN t.state = 'DONE' THEN 1 END) AS done
           FROM enrolments e
           LEFT JOIN tasks t ON t.workspace_id = e.workspace_id AND t.id = e.task_id
           WHERE e.workspace_id = :workspace AND e.campaign_id IN :campaigns
           GROUP BY e.campaign_id""",
        workspace=workspace_id,
        campaigns=campaign_ids,
    )
    counted = {row["campaign_id"]: Counts(row["enrolled"], row["refused"], row["done"]) for row in found}
    return {campaign_id: counted.get(campaign_id, Counts(0, 0, 0)) for campaign_id in campaign_ids}
