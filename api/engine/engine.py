"""The compiled path: answers a query by its plan, or leaves it to graphql-core."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from graphql import GraphQLError
from strawberry import Schema
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from api.deprecating import count_deprecated
from api.engine.cache import Recent
from api.engine.declining import Declined, NoQuery, NotValid
from api.engine.lifting import Shape, shape_of
from api.engine.plan import Plan, plan
from api.engine.reruns import Reruns
from api.limits import Bounds, Exceeded, Ration, fault_in_text
from api.metering import traced
from domain.figures import OPERATION_SECONDS

TEXTS, PLANS = 1024, 256
LONGEST, LONGEST_PLANNED, MOST_LITERALS = 4_096, 16_384, 120
"""Of a text: the characters up to which it is remembered, or gets a plan, and its literals for that."""
log = structlog.get_logger(__name__)


class Engine:
    """The plans of one schema. `paths` counts which way the reads went."""

    def __init__(self, schema: Schema, bounds: Bounds | None = None) -> None:
        self.paths: Counter[str] = Counter()
        self.tells = False
        """Whether answers say which path they came by."""
        self.reruns = Reruns()
        self._schema = schema
        self._bounds = bounds or Bounds()
        self._shapes: Recent[str, Shape] = Recent(TEXTS)
        self._fixed: Recent[tuple[str, str | None], tuple[int, ...]] = Recent(PLANS)
        self._plans: Recent[tuple[Any, ...], Plan | NoQuery] = Recent(PLANS)
        self._not_valid: Recent[tuple[str, str | None], NotValid] = Recent(PLANS)

    async def answer(
        self,
        query: str | None,
        variables: Mapping[str, Any] | None,
        context: Any,
        root: Any,
        operation_name: str | None,
        allowed: Iterable[OperationType] | None,
        extensions: Any,
    ) -> ExecutionResult | None:
        """The result of a query that went well on the compiled path; None leaves it to graphql-core."""
        if not query or (allowed is not None and OperationType.QUERY not in allowed):
            return None
        began = time.perf_counter()
        given = variables or {}
        caller = getattr(context, "principal", None)
        try:
            found, shape = self._plan(query, operation_name, given)
            if not self.reruns.allowed(caller):
                raise Declined("too many of this caller's reads had to be run again")
            cost = found.cost(shape.tokens, given)
            values = found.values(shape.tokens, given)
        except NoQuery:
            self.paths["other"] += 1
            return None
        except Exception as error:  # whatever it is about, graphql-core has the words for it
            self._leave(error)
            return None
        ration = Ration(context, {"requested": cost})
        try:
            await ration.take()
        except GraphQLError as refused:  # nothing was taken, and nothing will be
            self._leave(refused)
            return None
        data: dict[str, Any] | None = None
        errors: list[GraphQLError] | None = None
        try:
            async with ration.in_time():
                with traced("query", found.operation_name, caller):
                    data = await found.run(values, context, root, extensions, ration.allowance)
        except Exceeded as over:  # it was the dearest there is: nobody begins it anew
            ration.end()
            errors = [over]
        except Declined as declined:
            ration.give_all_back()
            self._leave(declined)
            return None
        except Exception as error:
            ration.give_all_back()
            self.paths["again"] += 1
            self.reruns.count(caller)
            log.debug("read_again", reason=repr(error))
            return None
        if errors is None:
            ration.settle(data)
        self.paths["compiled"] += 1
        OPERATION_SECONDS.labels("query").observe(time.perf_counter() - began)
        if found.deprecated and caller is not None:
            count_deprecated(found.deprecated, caller)
        answered = ExecutionResult(data=data, errors=errors, extensions={"cost": ration.cost})
        return self.told(answered, "compiled")

    def told(self, result: ExecutionResult, path: str) -> ExecutionResult:
        """The result; while debugging it says by which path it came."""
        if self.tells:
            result.extensions = {**(result.extensions or {}), "engine": {"path": path}}
        return result

    def _leave(self, error: Exception) -> None:
        self.paths["declined"] += 1
        log.debug("read_declined", reason=error.message if isinstance(error, GraphQLError) else str(error))

    def _plan(self, text: str, name: str | None, given: Mapping[str, Any]) -> tuple[Plan, Shape]:
        shape = self._shapes.get(text)
        if shape is None:
            if fault_in_text(text, given):
                raise Declined("the text cannot be stored")
            if len(text) > LONGEST_PLANNED:
                raise Declined("it is longer than is worth a plan")
            shape = shape_of(text)
            if len(shape.tokens) > MOST_LITERALS:
                raise Declined("it has more literals than are worth a plan")
            if len(text) <= LONGEST:
                self._shapes.put(text, shape)
        elif fault_in_text(None, given):
            raise Declined("the name of a variable cannot be stored")
        fixed = self._fixed.get((shape.text, name))
        if fixed is not None:
            key = (shape.text, name, *[shape.tokens[place].text for place in fixed])
            known = self._plans.get(key)
            if isinstance(known, NoQuery):
                raise known.again()
            if known is not None:
                return known, shape
        if (refused := self._not_valid.get((text, name))) is not None:
            raise refused.again()
        return self._read(text, shape, name, given), shape

    def _read(self, text: str, shape: Shape, name: str | None, given: Mapping[str, Any]) -> Plan:
        try:
            read = plan(self._schema, text, shape, name, given, self._bounds)
        except NoQuery as declined:
            self._fixed.put((shape.text, name), ())
            self._plans.put((shape.text, name), declined)
            raise
        except NotValid as declined:
            if len(text) <= LONGEST:
                self._not_valid.put((text, name), declined)
            raise
        free = {slot.place for slot in read.slots}
        fixed = tuple(place for place in range(len(shape.tokens)) if place not in free)
        self._fixed.put((shape.text, name), fixed)
        self._plans.put((shape.text, name, *[shape.tokens[place].text for place in fixed]), read)
        return read
