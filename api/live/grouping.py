"""Which subscriptions are the same: their operation, their variables, and what their readers may see."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, OperationType, VariableNode, parse

from api.edge.reading import Asked

MOST_TOKENS = 2_000
Shape = tuple[str, str | None, bytes]


def shape_of(asked: Asked) -> Shape | None:
    """What makes two subscriptions the same, wherever in the feed each began; none for another operation.

    What cannot be read or compared is none either: it is answered as any other operation is.
    """
    if not asked.query or "subscription" not in asked.query:
        return None
    try:
        document = parse(asked.query, max_tokens=MOST_TOKENS, no_location=True)
        operation = _operation(document.definitions, asked.operation_name)
        if operation is None or operation.operation is not OperationType.SUBSCRIPTION:
            return None
        variables = _without_places(operation, asked.query, asked.variables or {})
        return asked.query, asked.operation_name, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
    except (GraphQLError, RecursionError, TypeError, ValueError):
        return None


def _operation(definitions: Any, name: str | None) -> OperationDefinitionNode | None:
    operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
    if name is not None:
        operations = [each for each in operations if each.name and each.name.value == name]
    return operations[0] if len(operations) == 1 else None


def _without_places(
    operation: OperationDefinitionNode, query: str, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """The variables without those that say only where in the feed to begin."""
    places = {
        argument.value.name.value
        for field in operation.selection_set.selections
        if isinstance(field, FieldNode)
        for argument in field.arguments or ()
        if argument.name.value == "after" and isinstance(argument.value, VariableNode)
    }
    # Declared once and used once: one that is used elsewhere too may change what is shown.
    alone = {name for name in places if len(re.findall(rf"\${name}\b", query)) == 2}
    return {name: value for name, value in variables.items() if name not in alone}
