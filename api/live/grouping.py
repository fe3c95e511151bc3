"""Which subscriptions are the same: their operation, their variables, and what their readers may see."""

from collections import Counter
from functools import lru_cache
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    parse,
    visit,
)

from api.edge.reading import Asked

MOST_TOKENS = 2_000
TEXTS, LONGEST = 512, 4_096
"""So many texts are remembered, and only such as have so few characters."""
Shape = tuple[str, str | None, bytes]


def shape_of(asked: Asked) -> Shape | None:
    """What makes two subscriptions the same, wherever in the feed each began; none for another operation.

    What cannot be read or compared is none either: it is answered as any other operation is.
    """
    if not asked.query or "subscription" not in asked.query:
        return None
    read = _remembered if len(asked.query) <= LONGEST else _places
    try:
        places = read(asked.query, asked.operation_name)
        if places is None:
            return None
        variables = {name: value for name, value in (asked.variables or {}).items() if name not in places}
        return asked.query, asked.operation_name, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
    except (GraphQLError, RecursionError, TypeError, ValueError):
        return None


def _places(query: str, name: str | None) -> frozenset[str] | None:
    """The variables that say only where in the feed to begin; none where it is no subscription."""
    document = parse(query, max_tokens=MOST_TOKENS, no_location=True)
    operation = _operation(document.definitions, name)
    if operation is None or operation.operation is not OperationType.SUBSCRIPTION:
        return None
    places = {
        argument.value.name.value
        for field in operation.selection_set.selections
        if isinstance(field, FieldNode)
        for argument in field.arguments or ()
        if argument.name.value == "after" and isinstance(argument.value, VariableNode)
    }
    # Declared once and used once: one that is used elsewhere too may change what is shown.
    named = _named(document)
    return frozenset(name for name in places if named[name] == 2)


_remembered = lru_cache(maxsize=TEXTS)(_places)


def _operation(definitions: Any, name: str | None) -> OperationDefinitionNode | None:
    operations = [each for each in definitions if isinstance(each, OperationDefinitionNode)]
    if name is not None:
        operations = [each for each in operations if each.name and each.name.value == name]
    return operations[0] if len(operations) == 1 else None


def _named(document: DocumentNode) -> Counter[str]:
    """How often each variable stands in a document, its declarations included."""
    counting = _Counting()
    visit(document, counting)
    return counting.found


class _Counting(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.found[node.name.value] += 1
