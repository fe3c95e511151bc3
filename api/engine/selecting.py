"""Puts the fields of a selection together: columns of values become objects."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from api.engine.declining import Unexpected
from api.engine.running import Execution, together

Complete = Callable[[Execution, Sequence[Any]], Awaitable[list[Any]]]
"""The completed values, in their order. A None among them stays None."""
Now = Callable[[Execution, Sequence[Any]], list[Any]]
"""The completed values of one field of these objects, at once."""


def whole(values: list[Any]) -> list[Any]:
    """The values, none of which may be null."""
    if None in values:
        raise Unexpected("a null where none may be")
    return values


def constant(name: str) -> Now:
    return lambda execution, sources: [name] * len(sources)


def objects(
    keys: tuple[str, ...], at_once: list[tuple[int, Now]], later: list[tuple[int, Complete]]
) -> Complete:
    async def complete(execution: Execution, sources: Sequence[Any]) -> list[Any]:
        if not sources:
            return []
        if not keys:
            return [{} for _ in sources]
        found: list[Any] = [None] * len(keys)
        for place, now in at_once:
            found[place] = now(execution, sources)
        if later:
            work = [column(execution, sources) for _, column in later]
            for (place, _), values in zip(later, await together(work), strict=True):
                found[place] = values
        return [dict(zip(keys, values, strict=True)) for values in zip(*found, strict=True)]

    return complete
