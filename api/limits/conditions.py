"""Counts the conditions of a filter, wherever its values stand: in the document or in variables."""

from collections.abc import Mapping
from typing import Any

from graphql import ListValueNode, NullValueNode, ObjectValueNode, ValueNode, VariableNode

FILTER = "where"
"""The argument by which lists are filtered."""


class Measured(list[None]):
    """Stands for a variable's value in measuring: as long a list as it, with as many conditions."""

    def __init__(self, length: int, conditions: int) -> None:
        super().__init__([None] * length)
        self.conditions = conditions


def conditions_in(
    root: object, variables: Mapping[str, Any], defaults: Mapping[str, ValueNode | None]
) -> int:
    """How many conditions a filter has: one for each operator with what it compares to.

    A list to be looked in is one condition, and so is what is empty: it has to be read all the same.
    """

    def meant(value: object, of_document: bool) -> tuple[object, bool]:
        if not isinstance(value, VariableNode):
            return value, of_document
        if not of_document:
            return None, False
        name = value.name.value
        return (variables[name], False) if name in variables else (defaults.get(name), False)

    first, of_document = meant(root, True)
    if first is None or isinstance(first, NullValueNode):
        return 0
    count = 0
    rest = [(first, of_document)]
    while rest:
        value, of_document = rest.pop()
        if isinstance(value, Measured):
            count += value.conditions
            continue
        found = [meant(each, of_document) for each in _inside(value)]
        if isinstance(value, list | ListValueNode):  # of filters, or else of values
            found = [each for each in found if isinstance(each[0], dict | ObjectValueNode | Measured)]
        rest += found
        count += not found
    return count


def _inside(value: object) -> list[Any]:
    if isinstance(value, ObjectValueNode):
        return [field.value for field in value.fields]
    if isinstance(value, ListValueNode):
        return list(value.values)
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
