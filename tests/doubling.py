"""Every query that a test asks on the compiled path is asked of graphql-core too, and must say the same.

So is each event of a subscription.
"""

import dataclasses
from collections import Counter
from typing import Any

import orjson
import pytest

from domain import tracing

TRIES = 20
"""What a query sees may change between one path and the other, so a difference has to last."""
reads: Counter[str] = Counter()
"""Reads of this process that were answered, by their path; one that fails is meant to be run again."""


class Differs(AssertionError):
    """The two paths gave different answers."""


def double(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, to the end of the test, compare the paths."""
    from api.engine.events import Executor, interpreted
    from api.schema import Schema

    real, real_event = Schema.execute, Executor.answer

    async def execute(
        self: Any,
        query: Any,
        variable_values: Any = None,
        context_value: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        self.engine.reruns.forget()  # many tests are one and the same caller
        before = self.engine.paths.copy()
        result = await real(self, query, variable_values, context_value, *args, **kwargs)
        ways = list(self.engine.paths - before)
        path = ways[0] if len(ways) == 1 else "none"  # several: others asked meanwhile
        if path == "compiled":
            reads[path] += 1
        # It has an error only when its time is over; and a second answer would be in the traces, too.
        if path == "compiled" and result.errors is None and not tracing.on():
            await _compared(self, real, result, (query, variable_values, context_value, args, kwargs))
        elif path in ("declined", "again") and result.errors is None:
            reads[path] += 1
        return result

    async def answer(self: Any, *compiled: Any) -> Any:
        for left in range(TRIES, 0, -1):
            result = await real_event(self, *compiled)
            core = await interpreted(self.build_per_event_executor(self.root_value))
            same = (core.data, core.errors) == (result.data, result.errors)
            if same or result.errors or tracing.on():
                break
            if left == 1:
                raise Differs(f"compiled: {result.data}\ngraphql-core: {core.errors} {core.data}")
        return result

    monkeypatch.setattr(Schema, "execute", execute)
    monkeypatch.setattr(Executor, "answer", answer)


async def _compared(schema: Any, real: Any, result: Any, asked: Any) -> None:
    query, variables, context, args, kwargs = asked
    names = ("root_value", "operation_name", "allowed_operation_types", "operation_extensions")
    more = {**dict(zip(names, args, strict=False)), **kwargs}
    for _ in range(TRIES):
        core = await schema.interpret(query, variables, _fresh(context), *(more.get(name) for name in names))
        if core.errors is None and shown(core) == shown(result):
            return
        result = await real(schema, query, variables, _fresh(context), *args, **kwargs)
        if core.errors is None and shown(core) == shown(result):
            return
    raise Differs(
        f"{query}\n{variables}\ncompiled: {shown(result)}\ngraphql-core: {core.errors} {shown(core)}"
    )


def shown(result: Any) -> Any:
    """The answer as a client reads it, without what is left in its bucket."""
    cost = {**(result.extensions or {}).get("cost", {})}
    cost.pop("throttle", None)
    return orjson.loads(orjson.dumps({"data": result.data, "cost": cost}))


def _fresh(context: Any) -> Any:
    if not dataclasses.is_dataclass(context):
        return context
    # The second answer is nobody's: it costs no points.
    return dataclasses.replace(context, terms=dataclasses.replace(context.terms, buckets=None))  # type: ignore
