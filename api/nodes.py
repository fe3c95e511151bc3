"""Every object with an id, and how to fetch it again.

A resolver returns the domain's own row; the GraphQL type says which of its columns are public. So an
object type is declared over a model, and its plain fields are read from the row by name.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, dataclass_transform

import strawberry
from strawberry.types.base import get_object_definition

from api.ids import global_id
from api.mapping import GLOBAL_ID
from domain.access import Principal

C = TypeVar("C")


@dataclass(frozen=True)
class NodeKind:
    """A type that `node(id)` can answer: its model, and its rows by id as a caller may see them."""

    name: str
    model: type[Any]
    visible: Callable[[Principal, list[int]], Awaitable[Mapping[int, Any]]]


kinds: dict[str, NodeKind] = {}
models: dict[str, type[Any]] = {}
"""The model of every type over rows, those without an id too; of some it is no table."""
_names: dict[type[Any], str] = {}


def name_of(row: Any) -> str:
    return _names[type(row)]


@strawberry.interface(description="An object that can be fetched again by its id.")
class Node:
    @strawberry.field(description="The object's opaque global id.", metadata=GLOBAL_ID)
    def id(self) -> strawberry.ID:
        return strawberry.ID(global_id(name_of(self), self.id))


@dataclass_transform()
def node_type(
    model: type[Any],
    *,
    description: str,
    visible: Callable[[Principal, list[int]], Awaitable[Mapping[int, Any]]] | None = None,
) -> Callable[[type[C]], type[C]]:
    """Declare a GraphQL type over a model. `visible` narrows what a caller may fetch by id."""

    async def in_workspace(who: Principal, ids: list[int]) -> Mapping[int, Any]:
        rows = await model.filter(workspace_id=who.workspace_id, id__in=ids)
        return {row.id: row for row in rows}

    def declare(cls: type[C]) -> type[C]:
        cls.is_type_of = staticmethod(lambda row, _info: isinstance(row, cls | model))  # type: ignore[attr-defined]
        made = strawberry.type(cls, description=description)
        kinds[cls.__name__] = NodeKind(cls.__name__, model, visible or in_workspace)
        _names[model] = cls.__name__
        models[cls.__name__] = model
        return made

    return declare


def row_type(model: type[Any], *, description: str) -> Callable[[type[C]], type[C]]:
    """Declare a GraphQL type over rows that have no id of their own to the outside."""

    def declare(cls: type[C]) -> type[C]:
        cls.is_type_of = staticmethod(lambda row, _info: isinstance(row, cls | model))  # type: ignore[attr-defined]
        models[cls.__name__] = model
        return strawberry.type(cls, description=description)

    return declare


def extends(target: type[Any]) -> Callable[[type[C]], type[C]]:
    """Add a class's fields to the type of an earlier concept, which need not know of it."""

    def extend(cls: type[C]) -> type[C]:
        made = strawberry.type(cls, description="Fields added to another type.")
        addition, base = get_object_definition(made, strict=True), get_object_definition(target, strict=True)
        taken = {field.python_name for field in base.fields}
        for field in addition.fields:
            assert field.python_name not in taken, f"{base.name}.{field.python_name} exists already"
            base.fields.append(field)
        return made

    return extend
