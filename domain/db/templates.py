"""Statements of the mapper that are written once: a query of a known form only brings its values.

Writing out a query takes the mapper longer than the database takes to answer it. Two queries with the
same model, order, limit and conditions, but for the values compared with, have the same text. Which
value stands where is found out once, by a query of that form with values that are told apart. A form
that cannot be seen through is written out each time, as ever.
"""

from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from tortoise.exceptions import ValidationError
from tortoise.expressions import Q
from tortoise.fields.base import Field
from tortoise.queryset import QuerySet

from domain.db.connection import is_postgres

Written = tuple[str, list[Any]]
"""A statement as its driver takes it, and its values."""
KEPT = 2_000
_COMPARED = {"", "gt", "gte", "lt", "lte", "in"}
_templates: dict[Hashable, "Template | None"] = {}


class Leaf(NamedTuple):
    """One value that a condition compares a column with, or a list of them."""

    field: Field[Any]
    value: Any


class Template(NamedTuple):
    """A statement's text, its values, and for each leaf the places of its values among them."""

    text: str
    values: list[Any]
    places: list[list[int]]

    def filled(self, leaves: list[Leaf], model: Any) -> Written:
        values = list(self.values)
        for (field, value), places in zip(leaves, self.places, strict=True):
            given = value if isinstance(value, list) else [value]
            for place, each in zip(places, given, strict=True):
                values[place] = field.to_db_value(each, model)
        return self.text, values


class _Opaque(Exception):
    """This query's form is not one of those that are seen through."""


def written(query: QuerySet[Any], form: Hashable, write: Callable[[QuerySet[Any]], Written]) -> Written:
    """What `write` makes of a query. `form` says all that it makes of it but for the query's own form."""
    leaves: list[Leaf] = []
    try:
        shape = tuple([_shape(condition, query.model, leaves) for condition in query._q_objects])
        own = (query.model, is_postgres(), form, shape, tuple(query._orderings), query._limit)
        if query._annotations or query._distinct or query._offset or query._joined_tables:
            raise _Opaque
    except (_Opaque, TypeError):
        return write(query)
    if own not in _templates:
        if len(_templates) >= KEPT:
            _templates.clear()
        _templates[own] = _template(query, leaves, write)
    template = _templates[own]
    return write(query) if template is None else template.filled(leaves, query.model)


def _shape(condition: Q, model: Any, leaves: list[Leaf]) -> Hashable:
    """A condition without the values of its leaves, which are noted in their order."""
    compared = []
    for name, value in condition.filters.items():
        column, _, operator = name.partition("__")
        if isinstance(value, bool | Enum | None):
            compared.append((name, value))
            continue
        field = model._meta.fields_map.get(column)
        if operator not in _COMPARED or column not in model._meta.fields_db_projection:
            raise _Opaque
        if isinstance(value, list | tuple):
            if all(isinstance(each, Enum) for each in value):
                compared.append((name, tuple(value)))
                continue
            kinds = tuple([_kind(each) for each in value])
            if not kinds:
                raise _Opaque
            compared.append((name, kinds))
            leaves.append(Leaf(field, list(value)))
        else:
            compared.append((name, _kind(value)))
            leaves.append(Leaf(field, value))
    inner = tuple([_shape(child, model, leaves) for child in condition.children])
    return condition.join_type, condition._is_negated, tuple(compared), inner


def _kind(value: Any) -> type:
    if type(value) not in (int, str, datetime, date):
        raise _Opaque
    return type(value)


def _template(
    query: QuerySet[Any], leaves: list[Leaf], write: Callable[[QuerySet[Any]], Written]
) -> Template | None:
    """The text of a query's form; None if it is not found out where each value stands."""
    count = 0

    def told_apart(value: Any) -> Any:
        nonlocal count
        count += 1
        if isinstance(value, str):
            return f"~{count}~"
        if isinstance(value, datetime):
            return datetime(2150, 1, 1, tzinfo=UTC) + timedelta(seconds=count)
        return date(2150, 1, 1) + timedelta(days=count) if isinstance(value, date) else 2_000_000_000 - count

    marked = [
        [told_apart(each) for each in leaf.value] if isinstance(leaf.value, list) else told_apart(leaf.value)
        for leaf in leaves
    ]
    probe = query._clone()
    rest = iter(marked)
    probe._q_objects = [_with_values(condition, rest) for condition in query._q_objects]
    try:
        text, values = write(probe)
        places = []
        for (field, _), value in zip(leaves, marked, strict=True):
            given = value if isinstance(value, list) else [value]
            places.append([_only(values, field.to_db_value(each, query.model)) for each in given])
    except (ValueError, ValidationError):
        return None
    return Template(text, values, places)


def _only(values: list[Any], value: Any) -> int:
    """Where a value stands, if it stands there only."""
    found = [place for place, each in enumerate(values) if type(each) is type(value) and each == value]
    if len(found) != 1:
        raise ValueError(value)
    return found[0]


def _with_values(condition: Q, values: Any) -> Q:
    """The condition with other values, taken in the order in which `_shape` notes them."""
    made = Q(join_type=condition.join_type)
    made._is_negated = condition._is_negated
    for name, value in condition.filters.items():
        constant = isinstance(value, bool | Enum | None) or (
            isinstance(value, list | tuple) and all(isinstance(each, Enum) for each in value)
        )
        made.filters[name] = value if constant else next(values)
    made.children = tuple(_with_values(child, values) for child in condition.children)
    return made
