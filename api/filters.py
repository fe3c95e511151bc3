"""Typed filters: each operator of a `where` input becomes one condition on an indexed column."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date, datetime
from enum import Enum
from typing import Any, Generic, TypeVar

import strawberry
from strawberry import UNSET
from tortoise.expressions import Q

from api import ids
from domain.errors import DomainError, Invalid

E = TypeVar("E", bound=Enum)
MOST = 100
DEEPEST = 5


@strawberry.input(description="Conditions on a text.")
class StringFilter:
    eq: str | None = strawberry.field(default=UNSET, description="Is exactly this.")
    in_: list[str] | None = strawberry.field(default=UNSET, name="in", description="Is one of these.")
    starts_with: str | None = strawberry.field(default=UNSET, description="Begins with this.")
    contains: str | None = strawberry.field(default=UNSET, description="Has this anywhere in it.")


@strawberry.input(description="Conditions on an id.")
class IdFilter:
    eq: strawberry.ID | None = strawberry.field(default=UNSET, description="Is this object; null: is none.")
    in_: list[strawberry.ID] | None = strawberry.field(
        default=UNSET, name="in", description="Is one of these objects."
    )


@strawberry.input(description="Conditions on an instant.")
class DateTimeFilter:
    gte: datetime | None = strawberry.field(default=UNSET, description="At this instant or after.")
    lte: datetime | None = strawberry.field(default=UNSET, description="At this instant or before.")


@strawberry.input(description="Conditions on a day.")
class DateFilter:
    gte: date | None = strawberry.field(default=UNSET, description="On this day or after.")
    lte: date | None = strawberry.field(default=UNSET, description="On this day or before.")


@strawberry.input(description="Conditions on a whole number.")
class IntFilter:
    eq: int | None = strawberry.field(default=UNSET, description="Is this number.")
    gte: int | None = strawberry.field(default=UNSET, description="Is this number or more.")
    lte: int | None = strawberry.field(default=UNSET, description="Is this number or less.")


@strawberry.input(description="Conditions on one of a closed set of words.")
class EnumFilter(Generic[E]):
    eq: E | None = strawberry.field(default=UNSET, description="Is this.")
    in_: list[E] | None = strawberry.field(default=UNSET, name="in", description="Is one of these.")


@strawberry.enum(name="SortDirection", description="Which way a list is sorted.")
class Direction(Enum):
    ASC = strawberry.enum_value("ASC", description="Smallest or earliest first.")
    DESC = strawberry.enum_value("DESC", description="Largest or latest first.")


Column = str | tuple[str, str] | Callable[[Any], Q]
"""Where a filter looks: a column, (column, type of node) for an id, or a function from the filter to a Q."""

_OPERATORS = {
    "eq": "",
    "gte": "__gte",
    "lte": "__lte",
    "contains": "__contains",
    "starts_with": "__startswith",
}


def where_q(where: Any, columns: Mapping[str, Column], depth: int = 0) -> Q:
    """The condition of a `where` input, whose fields `and_`, `or_` and `not_` nest further inputs.

    Raises:
        Invalid: nested too deeply, or an operator is given null where nothing can be null.
    """
    if where is None or where is UNSET:
        return Q()
    if depth > DEEPEST:
        raise Invalid(f"a filter nests at most {DEEPEST} deep", field="where")
    condition = Q()
    for field in fields(where):
        given = getattr(where, field.name)
        if given is UNSET or given is None:
            continue
        if field.name in ("and_", "or_"):
            if len(given) > MOST:
                raise Invalid(f"at most {MOST} conditions", field="where")
            parts = [where_q(item, columns, depth + 1) for item in given]
            joined = Q(*parts, join_type="AND" if field.name == "and_" else "OR") if parts else Q()
            condition &= joined
        elif field.name == "not_":
            # Something true beside it: the negation of NOT IN alone would come out as NOT IN again.
            condition &= ~Q(where_q(given, columns, depth + 1), Q(id__isnull=False))
        else:
            column = columns[field.name]
            condition &= column(given) if callable(column) else _condition(column, given, field.name)
    return condition


def _condition(column: str | tuple[str, str], given: Any, name: str) -> Q:
    kind = None
    if isinstance(column, tuple):
        column, kind = column
    if not hasattr(given, "__dataclass_fields__"):  # a plain value: equality
        return Q(**{column: _row(kind, given, name)})
    conditions: dict[str, Any] = {}
    for field in fields(given):
        value = getattr(given, field.name)
        if value is UNSET:
            continue
        if field.name == "in_":
            if value is None or len(value) > MOST:
                raise Invalid(f"`in` takes a list of at most {MOST}", field=f"where.{name}")
            conditions[f"{column}__in"] = [
                row for row in (_row(kind, item, name) for item in value) if row is not None
            ]
        elif value is None:
            if field.name != "eq":
                raise Invalid(f"`{field.name}` cannot be null", field=f"where.{name}")
            conditions[f"{column}__isnull"] = True
        else:
            conditions[f"{column}{_OPERATORS[field.name]}"] = _row(kind, value, name)
    return Q(**conditions)


NOBODY = -1
"""No row has this id: what an unknown id, or another type's, stands for in a filter."""


def _row(kind: str | None, value: Any, name: str) -> Any:
    if kind is None:
        return value
    try:
        return ids.row_id(kind, value, f"where.{name}")
    except DomainError:
        return NOBODY
