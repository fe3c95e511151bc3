"""Puts the fields of a selection together: columns of values become objects."""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from api.engine.declining import Unexpected
from api.engine.running import Execution, together

Values = TypeVar("Values", bound=Sequence[Any])
Complete = Callable[[Execution, Sequence[Any]], Awaitable[list[Any]]]
"""The completed values, in their order. A None among them stays None."""
Now = Callable[[Execution, Any], Sequence[Any]]
"""The completed values of one field of these objects, at once."""


def whole(values: Values) -> Values:
    """The values, none of which may be null."""
    if None in values:
        raise Unexpected("a null where none may be")
    return values


def constant(name: str) -> Now:
    return lambda execution, sources: [name] * len(sources)


def objects(
    keys: tuple[str, ...],
    at_once: list[tuple[int, Now]],
    later: list[tuple[int, Complete]],
    seen: Callable[[Sequence[Any]], Any] = lambda sources: sources,
) -> Complete:
    """Completes objects with these keys. Fields that are there `at_once` are shown the sources as `seen`."""
    made = maker(keys)

    async def complete(execution: Execution, sources: Sequence[Any]) -> list[Any]:
        if not sources:
            return []
        execution.allowance.take(len(sources))
        if not keys:
            return [{} for _ in sources]
        found: list[Any] = [None] * len(keys)
        shown = seen(sources)
        for place, now in at_once:
            found[place] = now(execution, shown)
        if later:
            work = [column(execution, sources) for _, column in later]
            for (place, _), values in zip(later, await together(work), strict=True):
                found[place] = values
        return made(*found)

    return complete


@lru_cache(maxsize=1024)
def maker(keys: tuple[str, ...]) -> Callable[..., list[Any]]:
    """Makes objects with these keys of columns of values, one for each key.

    The objects are written out as Python would be by hand, which takes a third of the time of anything
    that loops over the keys of each. A key is a name by GraphQL's grammar, and stands in a literal.
    """
    names = [f"value{place}" for place in range(len(keys))]
    pairs = ", ".join(f"{key!r}: {name}" for key, name in zip(keys, names, strict=True))
    taken = "".join(f"{name}, " for name in names)
    text = f"lambda *columns: [{{{pairs}}} for {taken}in zip(*columns, strict=True)]" if keys else "list"
    return cast("Callable[..., list[Any]]", eval(text))  # noqa: S307
