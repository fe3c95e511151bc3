"""Makes queries at random from the schema: valid ones, of every form that a client may write them in."""

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

TEXTS = [
    "C-1",
    "O-2",
    "L-1",
    "E-1",
    "VIP",
    "a",
    "GOLD:2025-03-01",
    'quo"te\\',
    "Zoë 😀\u200d",
    "",
    "VISIT_COVERAGE",
]
INSTANTS = ["2025-01-22T04:00:00Z", "2025-03-03T12:00:00.123456+08:00", "2025-03-03T04:00:00.5Z"]
VALUES: dict[str, list[Any]] = {
    "Boolean": [True, False],
    "Date": ["2025-01-01", "2025-12-31"],
    "DateTime": INSTANTS,
    "Decimal": ["0.5", "12.50"],
    "Int": [0, 1, 2, 3, 40],
}
DEEPEST = 4


@dataclass
class Names:
    """What exists in the workspace that is asked: ids, and cursors that were given out."""

    ids: list[str]
    cursors: list[str] = field(default_factory=list)


class Query:
    """One random query: `text` and `variables`."""

    def __init__(self, schema: GraphQLSchema, random: Random, names: Names) -> None:
        self._schema = schema
        self._random = random
        self._names = names
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self._aliases = 0
        self.variables: dict[str, Any] = {}
        assert schema.query_type is not None
        body = self._selection(schema.query_type, 0, most=3)
        head = f"({', '.join(self._declared)})" if self._declared else ""
        self.text = "\n".join([f"query Q{head} {body}", *self._fragments])

    def _maybe(self, share: float) -> bool:
        return self._random.random() < share

    def _selection(self, kind: Any, depth: int, most: int = 5) -> str:
        if isinstance(kind, GraphQLInterfaceType):
            types = self._random.sample(list(self._schema.get_possible_types(kind)), 3)
            parts = [f"... on {one.name} {self._selection(one, depth)}" for one in types]
            return "{ __typename id " + " ".join(parts) + " }"
        assert isinstance(kind, GraphQLObjectType)
        able = [
            name
            for name, each in kind.fields.items()
            if depth < DEEPEST or is_leaf_type(get_named_type(each.type))
        ]
        chosen = self._random.sample(able, min(len(able), self._random.randint(1, most)))
        parts = [self._field(name, kind.fields[name], depth) for name in chosen]
        if self._maybe(0.2) and depth:
            parts.insert(0, "__typename")
        if self._maybe(0.15) and depth:
            parts.append(self._field(chosen[0], kind.fields[chosen[0]], depth, again=True))
        parts = [self._wrapped(part, kind) for part in parts]
        return "{ " + " ".join(parts or ["__typename"]) + (" __typename }" if not parts else " }")

    def _wrapped(self, part: str, kind: GraphQLObjectType) -> str:
        if self._maybe(0.08):
            name = f"F{len(self._fragments)}"
            self._fragments.append(f"fragment {name} on {kind.name} {{ {part} }}")
            return f"...{name}{self._directive()}"
        if self._maybe(0.08):
            on = f" on {kind.name}" if self._maybe(0.5) else ""
            return f"...{on}{self._directive()} {{ {part} }}"
        return part

    def _directive(self) -> str:
        if not self._maybe(0.4):
            return ""
        how = self._random.choice(["include", "skip"])
        value = self._random.choice([True, False])
        if self._maybe(0.5):
            return f" @{how}(if: {json.dumps(value)})"
        name = f"v{len(self._declared)}"
        if self._maybe(0.3):
            self._declared.append(f"${name}: Boolean! = {json.dumps(value)}")
        else:
            self._declared.append(f"${name}: Boolean!")
            self.variables[name] = value
        return f" @{how}(if: ${name})"

    def _field(self, name: str, definition: GraphQLField, depth: int, again: bool = False) -> str:
        alias = ""
        if definition.args or again or self._maybe(0.1):  # two with other arguments must not be one
            self._aliases += 1
            alias = f"a{self._aliases}: "
        given = []
        sized = False
        for key, argument in definition.args.items():
            wanted = is_required_argument(argument) or self._maybe(0.8 if key == "first" else 0.2)
            if key in ("first", "last"):
                wanted, sized = wanted and not sized, sized or wanted
            if wanted:
                given.append(f"{key}: {self._argument(key, argument)}")
        passed = f"({', '.join(given)})" if given else ""
        kind = get_named_type(definition.type)
        below = "" if is_leaf_type(kind) else f" {self._selection(kind, depth + 1)}"
        return f"{alias}{name}{passed}{self._directive()}{below}"

    def _argument(self, name: str, argument: GraphQLArgument) -> str:
        value = self._value(argument.type, name)
        required = isinstance(argument.type, GraphQLNonNull)
        if self._maybe(0.5):
            return self._literal(value, argument.type)
        variable = f"v{len(self._declared)}"
        way = self._random.random()
        if way < 0.15:
            self._declared.append(f"${variable}: {argument.type} = {self._literal(value, argument.type)}")
        else:
            self._declared.append(f"${variable}: {argument.type}")
            if way > 0.3 or required:
                self.variables[variable] = None if way > 0.9 and not required else value
        return f"${variable}"

    def _value(self, kind: Any, name: str, depth: int = 0) -> Any:
        if isinstance(kind, GraphQLNonNull):
            return self._value(kind.of_type, name, depth)
        if isinstance(kind, GraphQLList):
            return [self._value(kind.of_type, name, depth + 1) for _ in range(self._random.randint(0, 2))]
        if isinstance(kind, GraphQLEnumType):
            return self._random.choice(list(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            able = list(kind.fields.items()) if depth < 3 else []
            chosen = self._random.sample(able, min(len(able), self._random.randint(1, 2)))
            return {key: self._value(each.type, key, depth + 1) for key, each in chosen}
        if name in ("first", "last"):
            return self._random.choice([1, 2, 3, 3, 5, 5, 0])
        if name in ("after", "before"):
            return self._random.choice([*self._names.cursors[-20:], "x"])
        if kind.name == "ID":
            return self._random.choice(self._names.ids)
        return self._random.choice(VALUES.get(kind.name, TEXTS))

    def _literal(self, value: Any, kind: Any) -> str:
        if isinstance(kind, GraphQLNonNull):
            return self._literal(value, kind.of_type)
        if isinstance(kind, GraphQLList) and value is not None:
            return "[" + ", ".join(self._literal(each, kind.of_type) for each in value) + "]"
        if isinstance(kind, GraphQLEnumType) and value is not None:
            return str(value)
        if isinstance(kind, GraphQLInputObjectType) and value is not None:
            pairs = (f"{key}: {self._literal(each, kind.fields[key].type)}" for key, each in value.items())
            return "{" + ", ".join(pairs) + "}"
        return json.dumps(value, ensure_ascii=self._maybe(0.5))


def cursors_in(data: Any) -> list[str]:
    """The cursors in an answer, to go on from."""
    if isinstance(data, dict):
        own = [value for key, value in data.items() if "ursor" in key and isinstance(value, str)]
        return own + [each for value in data.values() for each in cursors_in(value)]
    return [each for value in data for each in cursors_in(value)] if isinstance(data, list) else []
