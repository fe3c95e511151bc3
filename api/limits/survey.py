"""One walk over a document that reads every fragment once, however often it is spread."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
)

from api.limits.conditions import FILTER, conditions_in
from api.limits.sizes import SIZES

CEILING = 1_000_000_000
"""Where the counters stop: a nest of fragments doubles its figures at every level."""

DEFAULT_PAGE = 20
INTROSPECTION_COST = 100

_SIZES = ("first", "last")


@dataclass(slots=True)
class Figures:
    """What a selection amounts to with its fragments written out.

    `cost` is in objects. `per_item` is the part of it that a connection repeats for each of its items.
    """

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    fields: int = 0
    roots: int = 0
    conditions: int = 0
    """Of the filter that has the most."""
    cost: int = 0
    per_item: int = 0

    def add(self, other: Self, *, deeper: bool = False) -> None:
        """Take over the figures of a fragment, or of what lies below a field."""
        self.depth = max(self.depth, other.depth + deeper)
        self.aliases = min(self.aliases + other.aliases, CEILING)
        self.directives = min(self.directives + other.directives, CEILING)
        self.fields = min(self.fields + other.fields, CEILING)
        self.conditions = max(self.conditions, other.conditions)
        if not deeper:
            self.roots = min(self.roots + other.roots, CEILING)
            self.charge(other.cost, other.per_item)

    def charge(self, cost: int, per_item: int = 0) -> None:
        self.cost = min(self.cost + cost, CEILING)
        self.per_item = min(self.per_item + per_item, CEILING)


@dataclass(slots=True)
class _Frame:
    """A selection set that is being read; `of` is the field, or the fragment, that it belongs to."""

    of: FieldNode | InlineFragmentNode | FragmentDefinitionNode | None
    definition: GraphQLField | None
    parent: GraphQLNamedType | None
    rest: Iterator[SelectionNode]
    figures: Figures = field(default_factory=Figures)


class Survey:
    """The figures of a document's operations and fragments.

    Page sizes are read from literals, from the variables given, and from the defaults of the
    `executed` operation, so the cost is right for that operation only. `visited` counts the
    selections that were read. Unknown names and cycles count as nothing: validation refuses them.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        executed: OperationDefinitionNode | None,
        variables: Mapping[str, Any],
    ) -> None:
        self.visited = 0
        self.introspects = False
        self._schema = schema
        self._variables = variables
        self._defaults = {
            definition.variable.name.value: definition.default_value
            for definition in (executed.variable_definitions or () if executed else ())
        }
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, Figures] = {}
        self._open: set[str] = set()

    def of_operation(self, operation: OperationDefinitionNode) -> Figures:
        root = self._schema.get_root_type(operation.operation)
        figures = self._walk(None, root, operation.selection_set)
        figures.directives += len(operation.directives or ())
        return figures

    def of_fragments(self) -> Iterator[Figures]:
        """Figures of all fragments, those that no operation spreads as well."""
        for name, fragment in self._fragments.items():
            if name not in self._known:
                self._walk(fragment, self._type_of(fragment), fragment.selection_set)
            yield self._known[name]

    def _walk(
        self, of: FragmentDefinitionNode | None, parent: GraphQLNamedType | None, selections: SelectionSetNode
    ) -> Figures:
        # A stack of our own: a chain of deep fragments would overflow the interpreter's.
        top = self._frame(of, None, parent, selections)
        stack = [top]
        while stack:
            frame = stack[-1]
            for selection in frame.rest:
                self.visited += 1
                if below := self._enter(frame, selection):
                    stack.append(below)
                    break
            else:
                stack.pop()
                if isinstance(frame.of, FragmentDefinitionNode):
                    self._close(frame.of, frame.figures)
                if stack:
                    self._leave(stack[-1], frame)
        return top.figures

    def _frame(
        self,
        of: FieldNode | InlineFragmentNode | FragmentDefinitionNode | None,
        definition: GraphQLField | None,
        parent: GraphQLNamedType | None,
        selections: SelectionSetNode,
    ) -> _Frame:
        frame = _Frame(of, definition, parent, iter(selections.selections))
        if isinstance(of, FragmentDefinitionNode):
            self._open.add(of.name.value)
            frame.figures.directives = len(of.directives or ())
        return frame

    def _close(self, fragment: FragmentDefinitionNode, figures: Figures) -> None:
        if fragment.type_condition.name.value.startswith("__"):
            figures.depth = 0  # a rule of graphql-core's own bounds how deep introspection goes
        self._open.discard(fragment.name.value)
        self._known[fragment.name.value] = figures

    def _enter(self, frame: _Frame, selection: SelectionNode) -> _Frame | None:
        """Count one selection; the frame of what lies below it, when that is yet to be read."""
        figures = frame.figures
        figures.directives += len(selection.directives or ())
        if isinstance(selection, FieldNode):
            figures.fields += 1
            figures.roots += 1
            figures.aliases += selection.alias is not None
            figures.depth = max(figures.depth, 1)
            if not selection.selection_set:
                return None
            self.introspects = self.introspects or selection.name.value in ("__schema", "__type")
            definition = _field_of(frame.parent, selection.name.value)
            below = get_named_type(definition.type) if definition else None
            return self._frame(selection, definition, below, selection.selection_set)
        if isinstance(selection, InlineFragmentNode):
            parent = self._type_of(selection) if selection.type_condition else frame.parent
            return self._frame(selection, None, parent, selection.selection_set)
        assert isinstance(selection, FragmentSpreadNode)
        name = selection.name.value
        if name in self._known:
            figures.add(self._known[name])
        elif name in self._fragments and name not in self._open:
            fragment = self._fragments[name]
            return self._frame(fragment, None, self._type_of(fragment), fragment.selection_set)
        return None

    def _leave(self, above: _Frame, frame: _Frame) -> None:
        """Hand the figures of a finished selection set to the one it stands in."""
        node, below = frame.of, frame.figures
        if not isinstance(node, FieldNode):
            above.figures.add(below)
            return
        if node.name.value in ("__schema", "__type"):
            below.depth = 0
            above.figures.add(below, deeper=True)
            above.figures.charge(INTROSPECTION_COST)
            return
        conditions = self._conditions(node)
        below.conditions = max(below.conditions, conditions)
        above.figures.add(below, deeper=True)
        cost = conditions + self._cost(node, above.parent, frame.definition, frame.parent, below)
        if _is_connection(above.parent) and node.name.value in ("edges", "nodes"):
            # An edge is only the way to its node, which has its own cost.
            above.figures.charge(0, max(1, below.cost) if node.name.value == "edges" else cost)
        else:
            above.figures.charge(cost)

    def _cost(
        self,
        node: FieldNode,
        parent: GraphQLNamedType | None,
        definition: GraphQLField | None,
        returned: GraphQLNamedType | None,
        below: Figures,
    ) -> int:
        if _is_connection(returned):
            return min(1 + below.cost + self._page(node, definition) * below.per_item, CEILING)
        once = 1 + below.cost + below.per_item
        if definition and isinstance(get_nullable_type(definition.type), GraphQLList):
            return min(self._items(node, parent, definition) * once, CEILING)
        return once

    def _items(self, node: FieldNode, parent: GraphQLNamedType | None, definition: GraphQLField) -> int:
        if any(name in definition.args for name in _SIZES):
            return self._page(node, definition)
        if parent and (parent.name, node.name.value) in SIZES:
            return SIZES[parent.name, node.name.value]
        given = [self._value(argument.value) for argument in node.arguments or ()]
        return max((len(value) for value in given if isinstance(value, list)), default=1)

    def _conditions(self, node: FieldNode) -> int:
        given = (each.value for each in node.arguments or () if each.name.value == FILTER)
        return sum(conditions_in(value, self._variables, self._defaults) for value in given)

    def _page(self, node: FieldNode, definition: GraphQLField | None) -> int:
        """How many items are asked for; a size that is out of range is the resolver's to refuse."""
        asked = {argument.name.value: self._value(argument.value) for argument in node.arguments or ()}
        sizes = [size for name in _SIZES if isinstance(size := asked.get(name), int)]
        if not sizes and definition:
            defaults = [definition.args[name].default_value for name in _SIZES if name in definition.args]
            sizes = [size for size in defaults if isinstance(size, int)]
        return min(max(1, *sizes), CEILING) if sizes else DEFAULT_PAGE

    def _value(self, node: ValueNode | None) -> object:
        """An int, a list (of whatever) or something else, which is of no concern here."""
        if isinstance(node, VariableNode):
            name = node.name.value
            if name not in self._variables:
                default = self._defaults.get(name)
                return None if isinstance(default, VariableNode) else self._value(default)
            value = self._variables[name]
            if isinstance(value, float) and value.is_integer():
                return int(value)
            return None if isinstance(value, bool) else value
        if isinstance(node, IntValueNode):
            return int(node.value) if len(node.value) < 12 else CEILING
        return list(node.values) if isinstance(node, ListValueNode) else None

    def _type_of(self, fragment: FragmentDefinitionNode | InlineFragmentNode) -> GraphQLNamedType | None:
        condition = fragment.type_condition
        return self._schema.get_type(condition.name.value) if condition else None


def _field_of(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        found: GraphQLField | None = parent.fields.get(name)
        return found
    return None


def _is_connection(type_: GraphQLNamedType | None) -> bool:
    if not isinstance(type_, GraphQLObjectType):
        return False
    return "pageInfo" in type_.fields and ("edges" in type_.fields or "nodes" in type_.fields)
