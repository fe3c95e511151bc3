"""What the schema lets a client say: its fields, their arguments, and a valid call of each.

Everything is read from the schema. What cannot be read from it, a valid value for an argument and the
type of object an id stands for, is written in `calls`; whoever adds to the schema is told to add there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from api.schema import schema

SDL: GraphQLSchema = schema._schema
FOR = "For: "


def root(operation: str) -> GraphQLObjectType:
    found = {"query": SDL.query_type, "mutation": SDL.mutation_type, "subscription": SDL.subscription_type}
    kind = found[operation]
    assert kind is not None
    return kind


@dataclass(frozen=True)
class Leaf:
    """One value inside an argument: where it is, and the name of its scalar or enum."""

    path: tuple[str, ...]
    scalar: str
    listed: bool
    alone: tuple[bool, ...] = ()
    """For each step of the path, whether the input object there takes exactly one of its fields."""
    nesting: tuple[str, ...] = ()
    """The input types on the way that may stand in themselves."""

    @property
    def name(self) -> str:
        return ".".join(self.path)


def _leaves(
    kind: Any,
    path: tuple[str, ...],
    seen: tuple[str, ...] = (),
    alone: tuple[bool, ...] = (False,),
    nesting: tuple[str, ...] = (),
) -> Iterator[Leaf]:
    named: Any = get_named_type(kind)
    if not isinstance(named, GraphQLInputObjectType):
        bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        yield Leaf(path, named.name, isinstance(bare, GraphQLList), alone, nesting)
    elif named.name not in seen:  # filters nest in themselves
        definition = named.extensions.get("strawberry-definition")
        one = definition is not None and definition.is_one_of
        if any(get_named_type(field.type) is named for field in named.fields.values()):
            nesting = (*nesting, named.name)
        for name, field in named.fields.items():
            yield from _leaves(field.type, (*path, name), (*seen, named.name), (*alone, one), nesting)


def leaves(field: GraphQLField) -> list[Leaf]:
    """Every value that can be given to a field, also inside input objects."""
    return [leaf for name, argument in field.args.items() for leaf in _leaves(argument.type, (name,))]


def fields_with(scalar: str, within: GraphQLSchema = SDL) -> Iterator[tuple[str, str, Leaf]]:
    """(type, field, argument) for every argument of this scalar, of every field of the schema."""
    for kind in within.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                for leaf in leaves(field):
                    if leaf.scalar == scalar:
                        yield kind.name, name, leaf


def with_value(arguments: dict[str, Any], leaf: Leaf, value: Any) -> dict[str, Any]:
    """The arguments with one value put at its place; a list gets a list of it."""
    *outer, last = leaf.path
    changed = dict(arguments)
    inner = changed
    for name, alone in zip(outer, leaf.alone, strict=False):
        kept = dict(inner.get(name) or {})
        if alone:
            inner.clear()
        inner[name] = kept
        inner = kept
    if leaf.alone and leaf.alone[-1]:
        inner.clear()
    inner[last] = [value] if leaf.listed else value
    return changed


def selection(kind: Any, depth: int = 3, path: tuple[str, ...] = ()) -> str:
    """All fields of a type that need no argument, to a depth; lists of a connection only as `nodes`."""
    named: Any = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLUnionType):
        parts = [f"... on {one.name} {selection(one, depth, path)}" for one in named.types]
        return "{ __typename " + " ".join(parts) + " }"
    if isinstance(named, GraphQLInterfaceType):
        return "{ __typename id }"
    parts = ["__typename"]
    for name, field in named.fields.items():
        inner: Any = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if is_leaf_type(inner):
            parts.append(name)
        elif depth > 0 and name not in ("edges", "pageInfo") and inner.name not in path:
            size = "(first: 2)" if "first" in field.args else ""
            parts.append(f"{name}{size} {selection(inner, depth - 1, (*path, named.name))}")
    return "{ " + " ".join(parts) + " }"


def document(operation: str, name: str, given: dict[str, Any], depth: int = 2) -> str:
    """One operation with one root field, whose arguments are variables of the same names."""
    field = root(operation).fields[name]
    declared = ", ".join(f"${argument}: {field.args[argument].type}" for argument in given)
    passed = ", ".join(f"{argument}: ${argument}" for argument in given)
    call = f"{name}({passed})" if given else name
    head = f"{operation} ({declared})" if given else operation
    return f"{head} {{ {call} {selection(field.type, depth)} }}"


def allowed(field: GraphQLField) -> frozenset[str] | None:
    """The roles that a description names; None where it has no policy."""
    _, found, named = (field.description or "").rpartition(FOR)
    if not found:
        return None
    names = named.strip().removesuffix(".")
    if names == "every role":
        return frozenset(SDL.type_map["Role"].values)  # type: ignore[attr-defined]
    return frozenset(names.split(", "))
