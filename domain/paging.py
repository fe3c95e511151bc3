"""Keyset pages: stable under writes, the same cost on page one and page one thousand."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar, cast

from tortoise import Model
from tortoise.connection import get_connections
from tortoise.exceptions import ValidationError
from tortoise.expressions import Q, RawSQL
from tortoise.fields.base import Field
from tortoise.queryset import QuerySet

from domain import reading
from domain.errors import Invalid

T = TypeVar("T")
M = TypeVar("M", bound=Model)
DEFAULT = 20
MAXIMUM = 100


class BadCursor(Invalid):
    """Not a cursor of this list."""


class TooMany(Invalid):
    """More items than a page has."""

    def __init__(self, field: str, asked: int) -> None:
        super().__init__(f"{field} must be between 1 and {MAXIMUM}, got {asked}", field=field)
        self.maximum, self.measured = MAXIMUM, asked


@dataclass(frozen=True)
class Slice:
    """Which page: the first or the last so many, after or before a cursor."""

    first: int | None = None
    last: int | None = None
    after: str | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None:
            raise Invalid("give first or last, not both", field="last")
        for name in ("first", "last"):
            size = getattr(self, name)
            if size is not None and size > MAXIMUM:
                raise TooMany(name, size)
            if size is not None and size < 1:
                raise Invalid(f"{name} must be between 1 and {MAXIMUM}, got {size}", field=name)

    @property
    def size(self) -> int:
        return self.first or self.last or DEFAULT


@dataclass(frozen=True)
class Order:
    """A sort key and its direction; the id breaks ties. The key must never be null."""

    field: str
    descending: bool = False


@dataclass
class Page(Generic[T]):
    """One page of a list."""

    items: list[T]
    cursors: list[str]
    has_next: bool
    has_previous: bool
    count: Callable[[], Any]
    """Counts the whole list when awaited; costs a statement, so only when somebody asks."""


@dataclass(frozen=True)
class Unread:
    """A page that was not read: of which list, in which order, which part."""

    query: QuerySet[Any]
    order: Order
    part: Slice

    @property
    def backwards(self) -> bool:
        return self.part.last is not None

    def rows(self) -> QuerySet[Any]:
        """The page's rows in the order of reading, and one more if there is more.

        Raises:
            BadCursor: a cursor is not of this list.
        """
        query = self.query
        for side in ("after", "before"):
            if getattr(self.part, side) is not None:
                query = query.filter(_past(self.order, self.part, side, query.model))
        return query.order_by(*self.keys()).limit(self.part.size + 1)

    def keys(self) -> list[str]:
        """What is sorted by, in the order of reading; a minus says descending."""
        sign = "-" if self.order.descending != self.backwards else ""
        return [f"{sign}{name}" for name in dict.fromkeys((self.order.field, "id"))]

    def neighbours(self, more: bool) -> tuple[bool, bool]:
        """Whether something follows and whether something precedes the page, if `more` was found."""
        if self.backwards:
            return self.part.before is not None, more
        return more, self.part.after is not None


@dataclass(frozen=True)
class UnreadEach(Unread):
    """The first or last page of each parent's list, not read; `parent` is the column that tells whose."""

    parent: str = ""


def encode(values: Sequence[Any]) -> str:
    plain = [v.isoformat() if isinstance(v, datetime | date) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(cursor: str, *columns: Field[Any]) -> list[Any]:
    """The values in a cursor, which must be exactly what `encode` makes of such columns.

    Raises:
        ValueError: it is not; so whatever somebody wrote by hand never reaches the database.
    """
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        raw = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        values = [column.to_python_value(value) for column, value in zip(columns, raw, strict=True)]
        for column, value in zip(columns, values, strict=True):
            low, high = column.constraints.get("ge"), column.constraints.get("le")
            if isinstance(value, bool) or (low is not None and not low <= value <= high):
                raise ValueError(value)
            if isinstance(value, str) and b"\0" in value.encode():
                raise ValueError(value)
    except (ArithmeticError, RecursionError, TypeError) as error:
        raise ValueError(cursor) from error
    if None in values or encode(values) != cursor.rstrip("="):
        raise ValueError(cursor)
    return values


def _past(order: Order, part: Slice, side_of: str, model: type[Model]) -> Q:
    """The rows beyond a cursor in the direction of reading."""
    columns = model._meta.fields_map
    try:
        key, row_id = decode(getattr(part, side_of), columns[order.field], columns["id"])
    except ValueError:
        raise BadCursor("this is not a cursor of this list", field=side_of) from None
    forward = side_of == "after"
    rising = forward != order.descending
    side = "gt" if rising else "lt"
    if order.field == "id":
        return Q(**{f"id__{side}": row_id})
    beyond = Q(**{f"{order.field}__{side}": key}) | Q(**{order.field: key, f"id__{side}": row_id})
    # An index can begin where a plain comparison says, but not where an OR does.
    return Q(**{f"{order.field}__{side}e": key}) & beyond


@contextmanager
def askable() -> Iterator[None]:
    """Tortoise refuses to look for a text that is longer than its column; so do we, in our own words."""
    try:
        yield
    except ValidationError:
        raise Invalid("a text to look for is longer than any that is stored", field="where") from None


async def page(query: QuerySet[M], order: Order, part: Slice) -> Page[M]:
    """One page of a query, in one statement whatever the page size.

    `last` reads the list backwards; nothing is ever read that is not on the page, save one row that
    tells whether there is more.
    """
    asked = Unread(query, order, part)
    if reading.is_left():
        return cast("Page[M]", asked)
    rows = asked.rows()
    with askable():
        found = await rows
    items = found[: part.size]
    if asked.backwards:
        items.reverse()
    has_next, has_previous = asked.neighbours(len(found) > part.size)
    return Page(
        items=items,
        cursors=[encode([getattr(item, order.field), item.pk]) for item in items],
        has_next=has_next,
        has_previous=has_previous,
        count=query.count,
    )


async def first_of_each(
    query: QuerySet[M], parent: str, ids: Sequence[int], order: Order, part: Slice
) -> dict[int, Page[M]]:
    """The first (or last) page of the list of each parent, in one statement for all of them.

    `query` holds the lists of all parents; `parent` is the column that tells them apart.
    """
    assert part.after is None and part.before is None, "a cursor belongs to one parent's list"
    backwards = part.last is not None
    way = "DESC" if order.descending != backwards else "ASC"
    keys = f'"id" {way}' if order.field == "id" else f'"{order.field}" {way}, "id" {way}'
    numbered = query.filter(**{f"{parent}__in": list(ids)}).annotate(
        place=RawSQL(f'row_number() OVER (PARTITION BY "{parent}" ORDER BY {keys})'),
        whole=RawSQL(f'count(*) OVER (PARTITION BY "{parent}")'),
    )
    with askable():
        numbered._make_query()
    text, values = numbered.query.get_parameterized_sql()
    client = get_connections().get(next(iter(get_connections().db_config)))
    found = await client.execute_query_dict(
        f"SELECT * FROM ({text}) numbered WHERE place <= {part.size + 1} ORDER BY place", values
    )
    rows: dict[int, list[dict[str, Any]]] = {parent_id: [] for parent_id in ids}
    for row in found:
        rows[row[parent]].append(row)
    return {parent_id: _page_of(query.model, own, order, part, backwards) for parent_id, own in rows.items()}


def _page_of(
    model: type[M], rows: list[dict[str, Any]], order: Order, part: Slice, backwards: bool
) -> Page[M]:
    whole = rows[0]["whole"] if rows else 0
    columns = model._meta.fields_db_projection.values()
    items = [model._init_from_db(**{name: row[name] for name in columns}) for row in rows[: part.size]]
    if backwards:
        items.reverse()
    more = len(rows) > part.size

    async def count() -> int:
        return int(whole)

    return Page(
        items=items,
        cursors=[encode([getattr(item, order.field), item.pk]) for item in items],
        has_next=False if backwards else more,
        has_previous=more if backwards else False,
        count=count,
    )
