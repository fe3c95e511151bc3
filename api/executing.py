"""Executes operations as graphql-core does, but for what it would keep of each event of a subscription."""

from typing import Any

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Each event has a memory of its own for the fields collected in it.

    graphql-core shares one with all events of a stream and finds nothing of an earlier event there
    again, so it would hold some kilobytes for every event for as long as the stream lives.
    """

    def build_per_event_executor(self, payload: Any) -> Any:
        executor = super().build_per_event_executor(payload)
        executor._relevant_sub_fields = {}
        return executor
