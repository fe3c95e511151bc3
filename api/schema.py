"""The one schema, put together from the concepts' parts in their order."""

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

import api.enums  # noqa: F401
from api.campaigns import CampaignMutations, CampaignQueries
from api.contacts import ContactMutations, ContactQueries
from api.customers import CustomerMutations, CustomerQueries, StandingMutations
from api.deprecating import Deprecations
from api.feed import FeedQueries, FeedSubscriptions
from api.kpis import KpiMutations, KpiQueries, KpiSubscriptions
from api.limits import Limits, Rationed
from api.masking import Mask
from api.metering import Metered
from api.runs import RunMutations, RunQueries, RunSubscriptions, ScheduleMutations, ScheduleQueries
from api.scalars import SCALARS
from api.segments import SegmentMutations, SegmentQueries
from api.tasks import TaskMutations, TaskQueries, TaskSubscriptions
from api.webhooks import Shaping, WebhookMutations, WebhookQueries
from api.workspaces import StaffMutations, WorkspaceMutations, WorkspaceQueries
from domain import webhooks

QUERIES: list[type[Any]] = [
    WorkspaceQueries,
    RunQueries,
    ScheduleQueries,
    CustomerQueries,
    ContactQueries,
    SegmentQueries,
    TaskQueries,
    CampaignQueries,
    KpiQueries,
    FeedQueries,
    WebhookQueries,
]
MUTATIONS: list[type[Any]] = [
    WorkspaceMutations,
    StaffMutations,
    RunMutations,
    ScheduleMutations,
    CustomerMutations,
    StandingMutations,
    ContactMutations,
    SegmentMutations,
    TaskMutations,
    CampaignMutations,
    KpiMutations,
    WebhookMutations,
]
SUBSCRIPTIONS: list[type[Any]] = [RunSubscriptions, TaskSubscriptions, KpiSubscriptions, FeedSubscriptions]
CACHED = 512


class Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Nothing: what is unexpected is logged by the mask, with its incident."""


def build() -> Schema:
    query = strawberry.type(type("Query", tuple(QUERIES), {}), description="Questions; they change nothing.")
    mutation = strawberry.type(
        type("Mutation", tuple(MUTATIONS), {}),
        description="Changes: one per business action, each in one transaction.",
    )
    subscription = strawberry.type(
        type("Subscription", tuple(SUBSCRIPTIONS), {}),
        description="Changes as they happen; each event has a cursor from which to go on.",
    )
    return Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
        extensions=[
            Metered,
            Mask,
            Limits,
            Rationed,
            Deprecations,
            lambda: ParserCache(maxsize=CACHED),
            lambda: ValidationCache(maxsize=CACHED),
        ],
    )


schema = build()
webhooks.shaped_by(Shaping(schema))
