"""One execution of a plan: who asks, with which values."""

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import GraphQLSchema, OperationDefinitionNode
from graphql.execution.values import VariableValues

from api.limits import Allowance


@dataclass(slots=True)
class Execution:
    """What all fields of one operation share while it runs."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, Any]
    variables: VariableValues
    context: Any
    root: Any = None
    extensions: Any = None
    allowance: Allowance = field(default_factory=Allowance)


async def together(work: Sequence[Awaitable[Any]]) -> list[Any]:
    """All results in their order. If one fails the others are ended, and its exception is raised."""
    if len(work) == 1:
        return [await work[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(cast("Coroutine[Any, Any, Any]", each)) for each in work]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
