"""Holds each operation to its terms: points before it runs, and a time by which it must have ended."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from api.errors import Code
from api.limits.bounds import limited
from api.limits.buckets import Buckets
from api.limits.terms import terms_of
from domain.access import Principal

RATE = "rate"


class Rationed(SchemaExtension):
    """Takes an operation's cost from its caller's bucket, gives back what is left, and ends it in time.

    List it after `Limits`, which measures the cost. What a cancelled operation had under way in the
    database is cancelled there too.
    """

    async def on_execute(self) -> AsyncIterator[None]:
        context = self.execution_context
        terms = terms_of(context.context)
        principal = getattr(context.context, "principal", None)
        cost: dict[str, Any] = context.extensions_results.setdefault("cost", {"requested": 0})
        caller = None
        if terms.buckets is not None and isinstance(principal, Principal):
            caller = f"{principal.workspace_id}:{principal.label}"
            await self._take(terms.buckets, caller, cost)
        streams = context.operation_type is OperationType.SUBSCRIPTION
        deadline = asyncio.timeout(None if streams else terms.operation_seconds)
        try:
            async with deadline:
                yield
        except TimeoutError:
            if not deadline.expired() or terms.operation_seconds is None:
                raise
            most = terms.operation_seconds
            raise limited("The seconds of the operation", "seconds", most, most) from None
        if not streams:
            cost["actual"] = actual = min(
                cost["requested"], 1 + objects(getattr(context.result, "data", None))
            )
            if caller is not None and terms.buckets is not None:
                back = cost["requested"] - actual
                terms.buckets.give_back(caller, back)
                throttle = cost["throttle"]
                throttle["currentlyAvailable"] = min(
                    throttle["maximumAvailable"], throttle["currentlyAvailable"] + back
                )

    async def _take(self, buckets: Buckets, caller: str, cost: dict[str, Any]) -> None:
        draught = await buckets.take(caller, cost["requested"])
        cost["throttle"] = {
            "maximumAvailable": buckets.size,
            "currentlyAvailable": math.floor(draught.available),
            "restoreRate": buckets.per_second,
        }
        if draught.taken:
            return
        wanted, left = cost["requested"], math.floor(draught.available)
        wait = math.ceil((wanted - draught.available) / buckets.per_second)
        raise GraphQLError(
            f"The points of the operation: {wanted}, and {left} of {buckets.size:g} are left to this caller; "
            f"{buckets.per_second:g} come back each second.",
            extensions={
                "code": Code.LIMITED.value,
                "limit": RATE,
                "maximum": buckets.size,
                "measured": wanted,
                "available": left,
                "retryAfterSeconds": wait if wanted <= buckets.size else None,
            },
        )


def objects(data: object) -> int:
    """How many objects an answer holds; an edge is only the way to its node, and a list is its items."""
    count, rest = -1, [data]  # the answer itself is the operation, which is counted apart
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            count += "node" not in value or not value.keys() <= {"node", "cursor", "__typename"}
            rest.extend(each for each in value.values() if isinstance(each, dict | list))
        elif isinstance(value, list):
            rest.extend(each for each in value if isinstance(each, dict | list))
    return max(count, 0)
