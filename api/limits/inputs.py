"""Values that no resolver should meet: text no database stores, endless lists, bottomless nesting."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from graphql import (
    ArgumentNode,
    DocumentNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableDefinitionNode,
)

from api.limits.bounds import Bounds, limited


def storable(text: str) -> bool:
    """Whether both databases take this text: neither NUL nor half of a surrogate pair is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def fault_in_text(query: str | None, variables: Mapping[str, Any]) -> GraphQLError | None:
    """A BAD_REQUEST for the query text or the names of variables, if they cannot be stored."""
    if all(storable(text) for text in (query or "", *variables)):
        return None
    return _bad("The request holds text with a NUL or a lone surrogate.")


def bytes_of(variables: Mapping[str, Any]) -> int:
    """How large variables are, as JSON; no more than what JSON can hold has come so far."""
    return len(orjson.dumps(variables, default=str)) if variables else 0


def fault_in(root: object, bounds: Bounds) -> GraphQLError | None:
    """The first fault in one value, which may be a variable's value or a literal of the document."""
    rest: list[tuple[object, int]] = [(root, 1)]
    while rest:
        value, level = rest.pop()
        if isinstance(value, str | StringValueNode):
            if not storable(value if isinstance(value, str) else value.value):
                return _bad("The request holds text with a NUL or a lone surrogate.")
        elif isinstance(value, float | FloatValueNode):
            if not math.isfinite(value if isinstance(value, float) else float(value.value)):
                return _bad("The request holds a number that is not finite.")
        elif isinstance(value, int | IntValueNode):
            if not _fits(value if isinstance(value, int) else value.value):
                return _bad("The request holds an integer of more than 64 bits.")
        elif (inner := _inside(value)) is not None:
            if level > bounds.nesting:
                return limited("The levels of an input value", "nesting", bounds.nesting, level)
            if isinstance(value, list | ListValueNode) and len(inner) > bounds.list_items:
                return limited("The items of a list input", "listItems", bounds.list_items, len(inner))
            if isinstance(value, dict) and not all(isinstance(key, str) and storable(key) for key in value):
                return _bad("The request holds text with a NUL or a lone surrogate.")
            rest.extend((part, level + 1) for part in inner)
    return None


def literals(document: DocumentNode) -> Iterator[ValueNode]:
    """Every value written in the document, wherever it stands: arguments, directives, defaults."""
    rest: list[Node] = list(document.definitions)
    while rest:
        node = rest.pop()
        if isinstance(node, ArgumentNode):
            yield node.value
            continue
        if isinstance(node, VariableDefinitionNode) and node.default_value:
            yield node.default_value
        for attribute in ("variable_definitions", "directives", "arguments"):
            rest.extend(getattr(node, attribute, None) or ())
        if selection_set := getattr(node, "selection_set", None):
            rest.extend(selection_set.selections)


def _fits(integer: int | str) -> bool:
    # The length first: Python refuses to read thousands of digits.
    if isinstance(integer, str) and len(integer) > 20:
        return False
    return -(2**63) <= int(integer) < 2**64


def _inside(value: object) -> list[Any] | None:
    if isinstance(value, ListValueNode):
        return list(value.values)
    if isinstance(value, ObjectValueNode):
        return [field.value for field in value.fields]
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else None


def _bad(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})
