"""Questions about campaigns, and what is done with them."""

from datetime import date
from decimal import Decimal
from typing import Annotated, cast

import strawberry

from api.campaigns.types import Campaign, CampaignWhere
from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.filters import Column, where_q
from api.ids import row_id, row_or_nothing
from api.mutations import Expected, Refusal, mutation, payload, result
from api.permissions import query
from api.runs.types import Run
from domain import campaigns
from domain.access import ADMINS, PLANNERS, Role
from domain.campaigns import Plan
from domain.contacts import Channel
from domain.errors import NotFound
from domain.paging import Order

COLUMNS: dict[str, Column] = {"state": "state", "segment": ("segment_id", "Segment")}
STARTERS = ADMINS | {Role.OPS_HEAD, Role.PROJECT_LEAD}
"""A planner designs a campaign and cannot send it (S0-69)."""
CampaignId = Annotated[strawberry.ID, strawberry.argument(description="The campaign's id.")]


@strawberry.type
class CampaignQueries:
    @query("One campaign; null when there is none with this id here.", left=True)
    async def campaign(self, info: Info, id: CampaignId) -> Campaign | None:
        try:
            number = row_id("Campaign", id)
        except NotFound:
            return None
        return cast(Campaign | None, await campaigns.find(who(info), number))

    @query("Campaigns, the latest first.", left=True)
    async def campaigns(
        self,
        info: Info,
        where: Annotated[CampaignWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Campaign]:
        page = await campaigns.page(
            who(info), where_q(where, COLUMNS), Order("id", descending=True), part(first, last, after, before)
        )
        return cast(Connection[Campaign], connection(page))


@strawberry.input(description="What a campaign is to be.")
class CampaignCreateInput:
    name: str = strawberry.field(description="Its name.")
    segment_id: strawberry.ID = strawberry.field(description="The segment whose members it reaches.")
    channel: Channel = strawberry.field(description="How they are to be reached.")
    task_title: str = strawberry.field(description="Title of the tasks it opens.")
    script: str = strawberry.field(default="", description="What to say or do.")
    owner_id: strawberry.ID | None = strawberry.field(default=None, description="Who answers for it.")
    goal_kpi: str | None = strawberry.field(
        default=None,
        description="The code of the KPI it is to move; needed before activation, as the next three.",
    )
    baseline: Decimal | None = strawberry.field(default=None, description="The KPI before it, as a share.")
    target: Decimal | None = strawberry.field(default=None, description="What the KPI is to be, as a share.")
    target_on: date | None = strawberry.field(default=None, description="By when.")
    due_within_hours: int = strawberry.field(
        default=72, description="Hours from opening to the deadline of its tasks."
    )


@payload("A campaign was drafted.")
class CampaignCreatePayload:
    campaign: Campaign = strawberry.field(description="The campaign.")


@payload("A campaign was set going.")
class CampaignActivatePayload:
    campaign: Campaign = strawberry.field(description="The campaign as it is now.")
    run: Run = strawberry.field(description="The run that opens its tasks.")


@payload("A campaign was paused.")
class CampaignPausePayload:
    campaign: Campaign = strawberry.field(description="The campaign as it is now.")


@payload("A campaign was ended.")
class CampaignClosePayload:
    campaign: Campaign = strawberry.field(description="The campaign as it is now.")


@strawberry.type
class CampaignMutations:
    @mutation("Draft a campaign; nothing happens until it is activated.", allow=PLANNERS)
    async def campaign_create(
        self,
        info: Info,
        input: Annotated[CampaignCreateInput, strawberry.argument(description="The campaign.")],
    ) -> Annotated[CampaignCreatePayload | Refusal, result("CampaignCreateResult")]:
        plan = Plan(
            name=input.name,
            segment_id=row_or_nothing("Segment", input.segment_id),
            channel=input.channel,
            task_title=input.task_title,
            script=input.script,
            owner_id=None if input.owner_id is None else row_or_nothing("User", input.owner_id),
            goal_kpi=input.goal_kpi,
            baseline=input.baseline,
            target=input.target,
            target_on=input.target_on,
            due_within_hours=input.due_within_hours,
        )
        return CampaignCreatePayload(campaign=cast(Campaign, await campaigns.create(who(info), plan)))

    @mutation(
        "Set a campaign going, or on again after a pause: one task per member of its segment, nobody twice.",
        allow=STARTERS,
    )
    async def campaign_activate(
        self, info: Info, id: CampaignId, expected_version: Expected = None
    ) -> Annotated[CampaignActivatePayload | Refusal, result("CampaignActivateResult")]:
        campaign, run = await campaigns.activate(who(info), row_id("Campaign", id), expected_version)
        return CampaignActivatePayload(campaign=cast(Campaign, campaign), run=cast(Run, run))

    @mutation("Open no further tasks; those that are open stay.", allow=STARTERS)
    async def campaign_pause(
        self, info: Info, id: CampaignId, expected_version: Expected = None
    ) -> Annotated[CampaignPausePayload | Refusal, result("CampaignPauseResult")]:
        campaign = await campaigns.pause(who(info), row_id("Campaign", id), expected_version)
        return CampaignPausePayload(campaign=cast(Campaign, campaign))

    @mutation("End a campaign and cancel its open tasks.", allow=STARTERS)
    async def campaign_close(
        self, info: Info, id: CampaignId, expected_version: Expected = None
    ) -> Annotated[CampaignClosePayload | Refusal, result("CampaignCloseResult")]:
        campaign = await campaigns.close(who(info), row_id("Campaign", id), expected_version)
        return CampaignClosePayload(campaign=cast(Campaign, campaign))
