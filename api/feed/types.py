"""A change in the feed as clients see it: what happened, when, to what, and where to go on."""

from datetime import datetime
from enum import StrEnum

import strawberry

from api import live
from api.connections import Connection
from api.enums import publish
from domain import timekeeping
from domain.access import Principal
from domain.journal import JournalLine

QUIET = "feed.quiet"


class FeedTopic(StrEnum):
    """What the feed is about."""

    TASKS = "tasks"
    RUNS = "runs"
    KPIS = "kpis"
    CUSTOMERS = "customers"
    LEADS = "leads"
    ORDERS = "orders"
    BEHAVIOUR = "behaviour"
    CONTACTS = "contacts"
    CAMPAIGNS = "campaigns"
    ALERTS = "alerts"
    SEGMENTS = "segments"


assert {topic.value for topic in FeedTopic} == live.TOPICS.keys()
publish(
    FeedTopic,
    "What a change in the feed is about.",
    {
        "TASKS": "Human work.",
        "RUNS": "Machine work.",
        "KPIS": "Measurements and targets.",
        "CUSTOMERS": "Customers: made, changed, excluded, gone. What an import takes is told as its run.",
        "LEADS": "Leads that came in.",
        "ORDERS": "Orders: placed, changed, delivered, refunded. What an import takes is told as its run.",
        "BEHAVIOUR": "What customers did: log-ins, pages, clicks.",
        "CONTACTS": "Contacts that took place, consents, and how customers wish to be reached.",
        "CAMPAIGNS": "Campaigns: drafted, activated, paused, closed.",
        "ALERTS": "Alerts about customers at risk: opened, raised, changed, closed.",
        "SEGMENTS": "Segments: made, changed, published; and who came and went, a line for each batch.",
    },
)


@strawberry.type(description="One change in the workspace, or the word that there was none.")
class FeedChange:
    cursor: str = strawberry.field(
        description="Its place in the feed, for `after`, here and in every stream."
    )
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(
        description=f"What happened, such as `task.completed`; `{QUIET}` when nothing did for 15 seconds."
    )
    topic: FeedTopic | None = strawberry.field(description="What it is about; null when nothing happened.")
    object_id: strawberry.ID | None = strawberry.field(
        description="The object that changed, for `node`; null for what is no object of its own."
    )


@strawberry.type(description="A page of the feed.")
class FeedConnection(Connection[FeedChange]):
    head: str = strawberry.field(
        description="The place of the newest change: go on from here after a resync."
    )


def change_of(line: JournalLine) -> FeedChange:
    object_id = live.object_id(line)
    return FeedChange(
        cursor=live.cursor(line),
        at=line.at,
        change=line.name,
        topic=next(FeedTopic(name) for name, subjects in live.TOPICS.items() if line.subject in subjects),
        object_id=None if object_id is None else strawberry.ID(object_id),
    )


async def quiet_at(principal: Principal, place: int) -> FeedChange:
    return FeedChange(
        cursor=await live.cursor_at(principal.workspace_id, place),
        at=await timekeeping.now(principal.workspace_id),
        change=QUIET,
        topic=None,
        object_id=None,
    )
