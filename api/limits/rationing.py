"""Holds each operation to its terms: points before it runs, and a time by which it must have ended."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Iterable
from typing import Any

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType

from api.errors import Code
from api.limits.allowance import Allowance, Exceeded, OutOfTime, current
from api.limits.buckets import Buckets
from api.limits.terms import terms_of
from domain.access import Principal

RATE = "rate"
_NESTS = {dict, list}
_EDGE = {"node", "cursor", "__typename"}


class Ration:
    """What one operation is held to. `cost` is what its caller is told, and holds what it asked for."""

    def __init__(self, context: object, cost: dict[str, Any]) -> None:
        self.cost = cost
        self._terms = terms_of(context)
        self.allowance = Allowance()
        principal = getattr(context, "principal", None)
        asked = self._terms.buckets is not None and isinstance(principal, Principal)
        self._caller = f"{principal.workspace_id}:{principal.label}" if asked and principal else None

    async def take(self) -> None:
        """Take its points.

        Raises:
            GraphQLError: LIMITED, when the caller's bucket has not so many left; then none are taken.
        """
        buckets = self._terms.buckets
        if buckets is None or self._caller is None:
            return
        draught = await buckets.take(self._caller, self.cost["requested"])
        self.cost["throttle"] = {
            "maximumAvailable": buckets.size,
            "currentlyAvailable": math.floor(draught.available),
            "restoreRate": buckets.per_second,
        }
        if not draught.taken:
            raise _too_dear(self.cost["requested"], draught.available, buckets)

    @contextlib.asynccontextmanager
    async def in_time(self, *, endless: bool = False) -> AsyncIterator[None]:
        """End what the block does when its time is over.

        Raises:
            OutOfTime: it was.
        """
        most = None if endless else self._terms.operation_seconds
        self.allowance = Allowance(seconds=most)
        deadline = asyncio.timeout(most)
        try:
            async with deadline:
                yield
        except TimeoutError:
            if not deadline.expired() or most is None:
                raise
            raise OutOfTime(most) from None

    def settle(self, data: object) -> None:
        """Note what it came to, and give back the rest; what it took above that is owed."""
        self._came_to(1 + objects(data))

    def end(self) -> None:
        """Give nothing back of what was ended; what it had made above what it asked for is owed."""
        self._came_to(max(self.cost["requested"], 1 + self.allowance.made))

    def _came_to(self, actual: int) -> None:
        self.cost["actual"] = actual
        self._give_back(self.cost["requested"] - actual)

    def give_all_back(self) -> None:
        """As if it had not been asked: another way will answer it, and take for that."""
        self._give_back(self.cost["requested"])

    def _give_back(self, points: float) -> None:
        buckets = self._terms.buckets
        if buckets is None or self._caller is None:
            return
        buckets.give_back(self._caller, points)
        throttle = self.cost["throttle"]
        available = min(throttle["maximumAvailable"], throttle["currentlyAvailable"] + points)
        throttle["currentlyAvailable"] = max(0, available)


class Rationed(SchemaExtension):
    """Takes an operation's cost from its caller's bucket, gives back what is left, and ends it in time.

    List it after `Limits`, which measures the cost. What a cancelled operation had under way in the
    database is cancelled there too.
    """

    async def on_execute(self) -> AsyncIterator[None]:
        context = self.execution_context
        ration = Ration(context.context, context.extensions_results.setdefault("cost", {"requested": 0}))
        await ration.take()
        streams = context.operation_type is OperationType.SUBSCRIPTION
        try:
            async with ration.in_time(endless=streams):
                if not streams:
                    current.set(ration.allowance)
                yield
                if ration.allowance.over:  # its parts may be null where it was ended, and others not
                    raise ration.allowance.over
        except Exceeded:
            ration.end()
            raise
        finally:
            current.set(None)
        if not streams:
            ration.settle(getattr(context.result, "data", None))


def _too_dear(wanted: float, available: float, buckets: Buckets) -> GraphQLError:
    left = max(0, math.floor(available))
    wait = math.ceil((wanted - available) / buckets.per_second)
    return GraphQLError(
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
    count, found = -1, [data]  # the answer itself is the operation, which is counted apart
    for value in found:  # it grows meanwhile
        inside: Iterable[object] = ()
        if type(value) is dict:
            count += "node" not in value or not value.keys() <= _EDGE
            inside = value.values()
        elif type(value) is list:
            inside = value
        for each in inside:
            if type(each) in _NESTS:
                found.append(each)
    return max(count, 0)
