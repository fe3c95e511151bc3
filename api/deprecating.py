"""Counts who still uses what is deprecated: it goes when nobody does, and when its date has come."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    EnumValueNode,
    FieldNode,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    visit,
)
from strawberry.extensions import SchemaExtension

from domain.access import Principal
from domain.figures import DEPRECATED_USES

REMEMBERED = 512


class Deprecations(SchemaExtension):
    """Counts each deprecated field, argument and enum value that a valid operation names, by its caller."""

    def on_execute(self) -> Iterator[None]:
        context = self.execution_context
        document, principal = context.graphql_document, getattr(context.context, "principal", None)
        if document is not None and isinstance(principal, Principal):
            count_deprecated(used(context.schema._schema, document), principal)
        yield


def count_deprecated(names: Iterable[str], principal: Principal) -> None:
    """Count one use of each by this caller."""
    for name in names:
        DEPRECATED_USES.labels(name, principal.label).inc()


@lru_cache(maxsize=REMEMBERED)
def used(schema: GraphQLSchema, document: DocumentNode) -> frozenset[str]:
    """What a document names that is deprecated. Documents are cached, so each is read once."""
    if not deprecated(schema):
        return frozenset()
    types = TypeInfo(schema)
    found: set[str] = set()

    class Reading(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            definition, parent = types.get_field_def(), types.get_parent_type()
            if definition is None or parent is None:
                return
            place = f"{parent.name}.{node.name.value}"
            if definition.deprecation_reason is not None:
                found.add(place)
            for argument in node.arguments or ():
                known = definition.args.get(argument.name.value)
                if known is not None and known.deprecation_reason is not None:
                    found.add(f"{place}({argument.name.value})")

        def enter_enum_value(self, node: EnumValueNode, *_: Any) -> None:
            value, type_ = types.get_enum_value(), types.get_input_type()
            if value is not None and value.deprecation_reason is not None and type_ is not None:
                found.add(f"{get_named_type(type_).name}.{node.value}")

    visit(document, TypeInfoVisitor(types, Reading()))
    return frozenset(found)


@lru_cache(maxsize=8)
def deprecated(schema: GraphQLSchema) -> dict[str, str]:
    """Everything of a schema that is deprecated, as `Type.field`, `Type.field(argument)` or `Enum.VALUE`."""
    found: dict[str, str] = {}

    def note(place: str, reason: str | None) -> None:
        if reason is not None:
            found[place] = reason

    for kind in schema.type_map.values():
        if kind.name.startswith("__"):
            continue
        for name, field in getattr(kind, "fields", {}).items():
            note(f"{kind.name}.{name}", field.deprecation_reason)
            for argument, definition in getattr(field, "args", {}).items():
                note(f"{kind.name}.{name}({argument})", definition.deprecation_reason)
        for name, value in getattr(kind, "values", {}).items():
            note(f"{kind.name}.{name}", value.deprecation_reason)
    return found
