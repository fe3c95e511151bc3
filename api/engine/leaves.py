"""Completes leaves, a column at a time: what is already as it must be passes, the rest is serialised."""

from collections.abc import Callable, Sequence
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)

from api.engine.declining import Unexpected

Column = Callable[[Sequence[Any]], list[Any]]
"""Completes the values of one field of many objects. None stays None."""
LOWEST, HIGHEST = -(2**31), 2**31 - 1


def leaf(kind: GraphQLLeafType) -> Column:
    """The values of this type as they are answered; a value it cannot hold raises."""
    exact = _exactly(kind)
    if kind is GraphQLString or kind is GraphQLID:
        return lambda values: [v if v is None or type(v) is str else exact(v) for v in values]
    if kind is GraphQLBoolean:
        return lambda values: [v if v is None or type(v) is bool else exact(v) for v in values]
    if kind is GraphQLInt:
        return lambda values: [
            v if v is None or (type(v) is int and LOWEST <= v <= HIGHEST) else exact(v) for v in values
        ]
    if isinstance(kind, GraphQLEnumType):
        return _enum(kind, exact)
    return lambda values: [None if v is None else exact(v) for v in values]


def _exactly(kind: GraphQLLeafType) -> Callable[[Any], Any]:
    coerce = kind.coerce_output_value

    def exact(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        completed = coerce(value)
        if completed is None or completed is Undefined:
            raise Unexpected(f"{kind.name} cannot hold a value")
        return completed

    return exact


def _enum(kind: GraphQLEnumType, exact: Callable[[Any], Any]) -> Column:
    members = getattr(kind, "wrapped_cls", None)
    if members is None:
        return lambda values: [None if v is None else exact(v) for v in values]
    names = {member: exact(member) for member in members}
    return lambda values: [
        None if v is None else (names[v] if type(v) is members else exact(v)) for v in values
    ]
