"""Reads the values of conditions, from a caller or from a document, and says what is wrong and where."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from domain import db
from domain import texts as lines
from domain.errors import Invalid, NotFound, Reasons, Required

E = TypeVar("E", bound=Enum)
T = TypeVar("T")
Place = tuple[str, ...]
MOST_VALUES = 100
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def said(place: Place) -> str:
    """A place as a refusal names it."""
    return ".".join(place)


def whole(least: int, most: int) -> Callable[[Any, Place], int]:
    """A whole number within these."""

    def read(value: Any, place: Place) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Invalid(f"{place[-1]} is a whole number", field=said(place))
        if not least <= value <= most:
            raise Invalid(f"{place[-1]} is between {least} and {most}, got {value}", field=said(place))
        return value

    return read


def instant(value: Any, place: Place) -> datetime:
    try:
        moment = db.instant_of(value)
    except ValueError:
        raise Invalid(f"{place[-1]} is not an instant", field=said(place)) from None
    if not EARLIEST <= moment < LATEST:
        raise Invalid(f"{place[-1]} is not between the years 1900 and 2200", field=said(place))
    return moment


def boolean(value: Any, place: Place) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{place[-1]} is true or false", field=said(place))
    return value


def text(longest: int) -> Callable[[Any, Place], str]:
    """One text of so many characters at most, as it would have been stored."""

    def read(value: Any, place: Place) -> str:
        if not isinstance(value, str):
            raise Invalid(f"{place[-1]} is a text", field=said(place))
        return lines.text(value, said(place), longest)

    return read


def word(kind: type[E]) -> Callable[[Any, Place], E]:
    """One word of a closed set."""

    def read(value: Any, place: Place) -> E:
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(each.name for each in kind)
            raise Invalid(f"{place[-1]} is one of {names}", field=said(place)) from None

    return read


def row_id(value: Any, place: Place) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise NotFound(f"{place[-1]} is not an id", field=said(place))
    return value


def several(read_one: Callable[[Any, Place], T]) -> Callable[[Any, Place], tuple[T, ...]]:
    """A list of such values, each once, and at least one."""

    def read(value: Any, place: Place) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise Invalid(f"{place[-1]} is a list", field=said(place))
        if not value:
            raise Required(f"{place[-1]} is an empty list", field=said(place))
        if len(value) > MOST_VALUES:
            raise Invalid(
                f"{place[-1]} has at most {MOST_VALUES} values, got {len(value)}", field=said(place)
            )
        return tuple(dict.fromkeys(read_one(each, place) for each in value))

    return read


def words(kind: type[E]) -> Callable[[Any, Place], tuple[E, ...]]:
    return several(word(kind))


def texts(longest: int) -> Callable[[Any, Place], tuple[str, ...]]:
    return several(text(longest))


row_ids = several(row_id)


def record(kind: type[T], value: Any, place: Place, every: Callable[[Any, Place], Any] | None = None) -> T:
    """The parts of a dataclass, each read by its own check or by the one for `every` part.

    Everything that is wrong is refused together. What is null was left out.
    """
    if not isinstance(value, Mapping):
        raise Invalid(f"{place[-1]} has parts", field=said(place))
    known = {each.name: each for each in fields(kind)}  # type: ignore[arg-type]
    reasons, found = Reasons(), {}
    for name, given in value.items():
        if given is None:
            continue
        inner = (*place, camel(str(name)))
        with reasons.gathered():
            if name not in known:
                raise Invalid(f"{place[-1]} has no part {inner[-1]!r}", field=said(inner))
            read = every or known[name].metadata["read"]
            found[name] = read(given, inner)
    with reasons.gathered():
        if all(given is None for given in value.values()):
            raise Required(f"{place[-1]} says nothing", field=said(place))
    reasons.refuse()
    try:
        return kind(**found)
    except TypeError:
        missing = [camel(name) for name in known if name not in found and not _has_default(known[name])]
        raise Required(f"{place[-1]} needs {', '.join(missing)}", field=said(place)) from None


def _has_default(part: Any) -> bool:
    return part.default is not MISSING


def some_of(kind: type[T], every: Callable[[Any, Place], Any] | None = None) -> Callable[[Any, Place], T]:
    """A part that itself has parts, of which at least one is given."""
    return lambda value, place: record(kind, value, place, every)
