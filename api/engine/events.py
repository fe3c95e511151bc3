"""Answers each event of a subscription by closures, as a query is; what they decline graphql-core does."""

from collections.abc import Awaitable
from typing import Any, cast

import structlog
from graphql import ExecutionResult, OperationType
from graphql.execution.collect_fields import collect_fields
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.engine.completion import Compiler
from api.engine.running import Execution
from api.engine.selecting import Complete
from api.limits import Ration

log = structlog.get_logger(__name__)


class Executor(StrawberryGraphQLCoreExecutionContext):
    """graphql-core's executor, which asks the closures first where an event is to be answered.

    They are made for the subscription's first event and kept while it lasts.
    """

    _events: tuple[str, Complete] | None = None
    _declined = False

    def build_per_event_executor(self, payload: Any) -> "Executor":
        """As graphql-core does; what one event is answered by holds for those that come."""
        if self._events is None and not self._declined:
            try:
                self._events = self._compiled()
            except Exception as error:  # whatever it is about, graphql-core answers without them
                self._declined = True
                log.debug("events_declined", reason=str(error))
        return cast(Executor, super().build_per_event_executor(payload))

    def execute_operation(self, serially: bool | None = None) -> Any:
        """The answer, or what is to be waited for: of an event as long as an operation may take."""
        if self.operation.operation is not OperationType.SUBSCRIPTION:
            return super().execute_operation(serially)
        compiled = self._events
        found: Any = super().execute_operation(serially) if compiled is None else self.answer(*compiled)
        return self._timed(found) if isinstance(found, Awaitable) else found

    async def _timed(self, event: Awaitable[ExecutionResult]) -> ExecutionResult:
        """The event, unless its time is over: then its stream ends with that."""
        async with Ration(self.context_value, {}).in_time():  # its points were taken with its stream's
            return await event

    def _compiled(self) -> tuple[str, Complete]:
        schema = cast(Schema, self.schema.extensions["strawberry-definition"])
        compiler = Compiler(schema, self.operation, self.fragments, self.variable_values)
        root = self.schema.subscription_type
        assert root is not None
        fields = collect_fields(
            self.schema, self.fragments, self.variable_values, root, self.operation, hide_suggestions=True
        )
        ((key, details),) = fields.grouped_field_set.items()
        nodes = [each.node for each in details]
        # An event is the value of the one field that a subscription has.
        return key, compiler.complete(root.fields[nodes[0].name.value].type, nodes)

    async def answer(self, key: str, complete: Complete) -> ExecutionResult:
        """The event by these closures, or by graphql-core if they come upon anything."""
        execution = Execution(
            self.schema,
            self.operation,
            self.fragment_definitions,
            self.variable_values,
            self.context_value,
            self.root_value,
            self.operation_extensions,
        )
        try:
            (value,) = await complete(execution, [self.root_value])
        except Exception as error:
            log.debug("event_read_again", reason=repr(error))
            return await interpreted(self)
        return ExecutionResult({key: value}, None)


async def interpreted(executor: Executor) -> ExecutionResult:
    """An event by graphql-core alone."""
    result = super(Executor, executor).execute_operation(False)
    return cast(ExecutionResult, await result if isinstance(result, Awaitable) else result)
