"""Turns a selection into closures that complete many values at once.

graphql-core completes one field of one object after another. Here each level of a selection is
completed as columns: a field's values for all objects of the level, then the next field's, and at
last the objects are put together. Which fields there are, what their types are and how each is
resolved was decided when the plan was made.

Nothing here handles an error. Whatever is not as it should be raises, and the whole operation is
answered by graphql-core.
"""

from collections.abc import Sequence
from inspect import isawaitable
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.language import OperationDefinitionNode
from strawberry import Schema

from api.engine import pages, rows
from api.engine.declining import Declined, Unexpected
from api.engine.fields import CompiledField
from api.engine.leaves import leaf
from api.engine.running import Execution, together
from api.engine.selecting import Complete, Now, constant, objects, whole
from api.mapping import Left

DEEPEST = 60
"""Levels of lists and objects that are compiled; the limits allow fewer."""


class Compiler:
    """Compiles one operation for one choice of what `@skip` and `@include` leave."""

    def __init__(
        self,
        schema: Schema,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        flags: VariableValues,
    ) -> None:
        self.schema = schema
        self._operation = operation
        self._fragments = fragments
        self._flags = flags
        self._depth = 0

    @property
    def _graphql(self) -> GraphQLSchema:
        return self.schema._schema

    def operation(self) -> Complete:
        """Completes the root object, given as a list of one."""
        root = self._graphql.query_type
        assert root is not None
        fields = collect_fields(
            self._graphql, self._fragments, self._flags, root, self._operation, hide_suggestions=True
        )
        return self._selection(root, fields.grouped_field_set)

    def complete(self, kind: GraphQLOutputType, nodes: list[FieldNode]) -> Complete:
        """Completes values of a type, whose selection is that of these nodes together."""
        if isinstance(kind, GraphQLNonNull):
            return _required(self.complete(kind.of_type, nodes))
        if isinstance(kind, GraphQLList):
            return _lists(
                self.complete(kind.of_type, nodes), of_objects=not is_leaf_type(get_named_type(kind))
            )
        if is_leaf_type(kind):
            return _leaves(kind)
        if isinstance(kind, GraphQLObjectType):
            return _present(self.object(kind, nodes))
        return _present(self.abstract(cast(GraphQLAbstractType, kind), nodes))

    def object(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Complete:
        """Completes objects of one type; none of them may be None."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise Declined("this is nested too deeply")
        select = self._selection(kind, self.subfields(kind, nodes))
        self._depth -= 1
        return _checked(kind, select) if kind.is_type_of else select

    def abstract(self, kind: GraphQLAbstractType, nodes: list[FieldNode]) -> Complete:
        """Completes objects of several types, each type's together."""
        ways = {each.name: self.object(each, nodes) for each in self._graphql.get_possible_types(kind)}
        name = nodes[0].name.value
        resolve = kind.resolve_type
        if resolve is None:
            raise Declined(f"{kind.name} does not tell its types apart")

        async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
            info = _Told(execution.schema, name)
            places: dict[str, list[int]] = {}
            for place, value in enumerate(values):
                found: Any = resolve(value, info, kind)  # type: ignore[arg-type]
                if found not in ways:
                    raise Unexpected(f"{name} gave something that is no {kind.name}")
                places.setdefault(found, []).append(place)
            completed: list[Any] = [None] * len(values)
            parts = await together(
                [ways[each](execution, [values[place] for place in own]) for each, own in places.items()]
            )
            for own, part in zip(places.values(), parts, strict=True):
                for place, value in zip(own, part, strict=True):
                    completed[place] = value
            return completed

        return complete

    def subfields(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> GroupedFieldSet:
        """The fields selected below these nodes, merged as graphql-core merges them."""
        details = [FieldDetails(node, None, None) for node in nodes]
        found = collect_subfields(
            self._graphql, self._fragments, self._flags, self._operation, kind, details, hide_suggestions=True
        )
        return found.grouped_field_set

    def _selection(self, kind: GraphQLObjectType, fields: GroupedFieldSet) -> Complete:
        at_once: list[tuple[int, Now]] = []
        later: list[tuple[int, Complete]] = []
        for place, (key, details) in enumerate(fields.items()):
            nodes = [each.node for each in details]
            if nodes[0].name.value == "__typename":
                at_once.append((place, constant(kind.name)))
                continue
            field = CompiledField(self.schema, kind, nodes, key)
            if (now := self.field_now(field)) is not None:
                at_once.append((place, now))
            else:
                later.append((place, self.field(field)))
        return objects(tuple(fields), at_once, later)

    def field_now(self, field: CompiledField) -> Now | None:
        """A field that needs nobody to be waited for: a leaf from an attribute or a plain function."""
        kind = field.definition.type
        required = isinstance(kind, GraphQLNonNull)
        bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if not is_leaf_type(bare) or field.field.extensions or field.field.is_async:
            return None
        column = leaf(bare)
        if field.is_attribute:
            read = field.attribute()
            if required:
                return lambda execution, sources: whole(column(read(sources)))
            return lambda execution, sources: column(read(sources))
        if required:
            return lambda execution, sources: whole(column(list(map(field.calls(execution), sources))))
        return lambda execution, sources: column(list(map(field.calls(execution), sources)))

    def each(self, field: CompiledField, own: int) -> Complete | None:
        """A list of each row of a level, whose id stands at `own`."""
        return pages.each(self, field, own)

    def field(self, field: CompiledField) -> Complete:
        """Resolves one field of many objects, and completes what that gives."""
        if isinstance(field.mapping, Left) and (made := pages.left(self, field) or rows.single(self, field)):
            return made
        complete = self.complete(field.definition.type, field.nodes)
        resolve = field.resolver()

        async def resolved(execution: Execution, sources: Sequence[Any]) -> list[Any]:
            return await complete(execution, await resolve(execution, sources))

        return resolved


class _Told:
    """As much of graphql-core's info as Strawberry's type resolvers look at."""

    def __init__(self, schema: GraphQLSchema, field_name: str) -> None:
        self.schema = schema
        self.field_name = field_name
        self.is_awaitable = isawaitable


def _leaves(kind: GraphQLLeafType) -> Complete:
    column = leaf(kind)

    async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
        return column(values)

    return complete


def _required(inner: Complete) -> Complete:
    async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
        return whole(await inner(execution, values))

    return complete


def _present(inner: Complete) -> Complete:
    """Completes what is there; None stays None."""

    async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
        there = [value for value in values if value is not None]
        if not there:
            return [None] * len(values)
        completed = await inner(execution, there)
        if len(there) == len(values):
            return completed
        rest = iter(completed)
        return [None if value is None else next(rest) for value in values]

    return complete


def _lists(inner: Complete, *, of_objects: bool) -> Complete:
    """Completes the items of all lists together."""

    async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
        items: list[Any] = []
        if of_objects:
            execution.allowance.look_ahead(sum(len(value) for value in values if value))
        for value in values:
            if value is not None:
                if not isinstance(value, list | tuple):
                    raise Unexpected("something that is no list")
                items += value
        completed = await inner(execution, items)
        lists: list[Any] = []
        start = 0
        for value in values:
            if value is None:
                lists.append(None)
            else:
                lists.append(completed[start : start + len(value)])
                start += len(value)
        return lists

    return complete


def _checked(kind: GraphQLObjectType, select: Complete) -> Complete:
    is_type_of = kind.is_type_of
    assert is_type_of is not None

    async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
        if not all(is_type_of(value, None) is True for value in values):  # type: ignore[arg-type]
            raise Unexpected(f"something that is no {kind.name}")
        return await select(execution, values)

    return complete
