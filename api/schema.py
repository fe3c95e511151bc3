"""The one schema, put together from the concepts' parts in their order."""

from collections.abc import AsyncGenerator, Iterable
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

import api.enums  # noqa: F401
from api.alerts import AlertMutations, AlertQueries, AlertSubscriptions
from api.campaigns import CampaignMutations, CampaignQueries
from api.contacts import ContactImportMutations, ContactMutations, ContactQueries, NeedMutations
from api.context import Context
from api.customer_health import HealthMutations, HealthQueries
from api.customers import (
    CustomerMutations,
    CustomerQueries,
    ImportMutations,
    MergeMutations,
    MergeQueries,
    SearchQueries,
    StandingMutations,
)
from api.deprecating import Deprecations
from api.engine import Engine, Executor
from api.feed import FeedQueries, FeedSubscriptions
from api.kpis import KpiMutations, KpiQueries, KpiSubscriptions
from api.limits import Limits, Rationed
from api.masking import Mask
from api.metering import Metered
from api.predictions import PredictionMutations, PredictionQueries, WorthMutations, WorthQueries
from api.runs import RunMutations, RunQueries, RunSubscriptions, ScheduleMutations, ScheduleQueries
from api.scalars import SCALARS
from api.segments import (
    SegmentMutations,
    SegmentQueries,
    SegmentRuleMutations,
    SegmentRuleQueries,
    SegmentStandingMutations,
    SegmentSubscriptions,
)
from api.tasks import CapacityQueries, TaskMutations, TaskQueries, TaskSubscriptions
from api.webhooks import Shaping, WebhookMutations, WebhookQueries
from api.workspaces import StaffMutations, WorkspaceMutations, WorkspaceQueries
from domain import webhooks

QUERIES: list[type[Any]] = [
    WorkspaceQueries,
    RunQueries,
    ScheduleQueries,
    CustomerQueries,
    MergeQueries,
    SearchQueries,
    ContactQueries,
    SegmentQueries,
    SegmentRuleQueries,
    PredictionQueries,
    WorthQueries,
    AlertQueries,
    TaskQueries,
    HealthQueries,
    CapacityQueries,
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
    ImportMutations,
    StandingMutations,
    MergeMutations,
    ContactMutations,
    ContactImportMutations,
    NeedMutations,
    SegmentMutations,
    SegmentRuleMutations,
    SegmentStandingMutations,
    PredictionMutations,
    WorthMutations,
    AlertMutations,
    TaskMutations,
    HealthMutations,
    CampaignMutations,
    KpiMutations,
    WebhookMutations,
]
SUBSCRIPTIONS: list[type[Any]] = [
    RunSubscriptions,
    AlertSubscriptions,
    SegmentSubscriptions,
    TaskSubscriptions,
    KpiSubscriptions,
    FeedSubscriptions,
]
CACHED = 512


class Schema(strawberry.Schema):
    """Answers queries by their compiled plans where it can, and everything else as Strawberry does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.engine = Engine(self)

    async def execute(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        asked = (
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed_operation_types,
            operation_extensions,
        )
        answered = await self.engine.answer(*asked)
        return (
            self.engine.told(await self.interpret(*asked), "graphql-core") if answered is None else answered
        )

    async def stream(
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
    ) -> StreamResult:
        asked = (query, variable_values, context_value, root_value, operation_name)
        answered = await self.engine.answer(*asked, allowed_operation_types, operation_extensions)
        if answered is not None:
            return _only(answered)
        _forget(context_value)
        return await super().stream(*asked, operation_extensions, allowed_operation_types)

    async def interpret(self, *asked: Any) -> ExecutionResult:
        """The same by graphql-core alone."""
        _forget(asked[2])
        return await super().execute(*asked)

    def process_errors(self, errors: list[GraphQLError], execution_context: Any = None) -> None:
        """Nothing: what is unexpected is logged by the mask, with its incident."""


async def _only(result: ExecutionResult) -> AsyncGenerator[ExecutionResult, None]:
    yield result


def _forget(context: Any) -> None:
    """An attempt that failed leaves nothing behind that the next one would see."""
    if isinstance(context, Context):
        context.loaders.forget()


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
        execution_context_class=Executor,
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
