"""The types of campaigns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, cast

import strawberry

import api.campaigns.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, load, who
from api.filters import EnumFilter, IdFilter
from api.mapping import EACH, one, reads
from api.nodes import Node, extends, node_type
from api.segments.types import Segment
from api.tasks.types import Task
from api.workspaces.types import User
from domain import campaigns, segments, tasks, workspaces
from domain.campaigns import CampaignState
from domain.contacts import Channel
from domain.paging import Order


@strawberry.type(description="How far a campaign has come.")
class CampaignCounts:
    enrolled: int = strawberry.field(description="Customers reached by it, each once.")
    refused: int = strawberry.field(description="Of these, customers whom the contact policy spared.")
    done: int = strawberry.field(description="Of their tasks, those completed.")


@node_type(campaigns.Campaign, description="Planned work on a segment, towards a measurable goal.")
class Campaign(Node):
    name: str = strawberry.field(description="Its name.")
    state: CampaignState = strawberry.field(description="Where it stands.")
    channel: Channel = strawberry.field(description="How its customers are to be reached.")
    goal_kpi: str | None = strawberry.field(description="The code of the KPI it is to move.")
    baseline: Decimal | None = strawberry.field(description="The KPI before it, as a share.")
    target: Decimal | None = strawberry.field(description="What the KPI is to be, as a share.")
    target_on: date | None = strawberry.field(description="By when.")
    task_title: str = strawberry.field(description="Title of the tasks it opens.")
    script: str = strawberry.field(description="What to say or do.")
    due_within_hours: int = strawberry.field(description="Hours from opening to the deadline of its tasks.")
    activated_at: datetime | None = strawberry.field(description="When it was first set going.")
    closed_at: datetime | None = strawberry.field(description="When it was ended.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(
        description="The segment whose members it reaches.", metadata=one(segments.Segment, "segment_id")
    )
    async def segment(self: Any, info: Info) -> Segment:
        return cast(Segment, await load(info, segments.Segment.by_ids, self.segment_id))

    @strawberry.field(description="Who answers for it.", metadata=one(workspaces.User, "owner_id"))
    async def owner(self: Any, info: Info) -> User | None:
        return cast(User | None, await load(info, workspaces.User.by_ids, self.owner_id))

    @strawberry.field(description="How far it has come.", metadata=reads("id"))
    async def counts(self: Any, info: Info) -> CampaignCounts:
        counted = await load(info, campaigns.counts_by_campaign, self.id)
        assert counted is not None
        return CampaignCounts(enrolled=counted.enrolled, refused=counted.refused, done=counted.done)

    @strawberry.field(
        description="Its tasks that the caller may see, the earliest deadline first.", metadata=EACH
    )
    async def tasks(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Task]:
        order, page = Order("due_at"), part(first, last, after, before)
        found = tasks.visible(who(info))
        return cast(Connection[Task], await nested(info, "tasks", found, "campaign_id", self.id, order, page))


@extends(Task)
class TaskCampaign:
    @strawberry.field(
        description="The campaign that opened it, if one did.",
        metadata=one(campaigns.Campaign, "campaign_id"),
    )
    async def campaign(
        self: Any, info: Info
    ) -> Annotated["Campaign", strawberry.lazy("api.campaigns.types")] | None:
        return cast(Campaign | None, await load(info, campaigns.Campaign.by_ids, self.campaign_id))


@strawberry.input(description="Which campaigns.")
class CampaignWhere:
    state: EnumFilter[CampaignState] | None = strawberry.field(
        default=strawberry.UNSET, description="By state."
    )
    segment: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By segment.")
