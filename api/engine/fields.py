"""Calls the resolver of one field for many objects, as Strawberry would call it for each.

Arguments and `Info` do not depend on the object, so they are made once for all of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Any, cast

from graphql import FieldNode, GraphQLField, GraphQLObjectType, VariableNode
from graphql.execution.values import VariableValues, get_argument_values
from graphql.language import ListValueNode, ObjectValueNode, ValueNode
from graphql.pyutils import Path
from strawberry import Schema
from strawberry.schema.schema import _OperationContextAwareGraphQLResolveInfo as RawInfo
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField
from strawberry.utils.await_maybe import await_maybe

from api.engine.declining import Declined
from api.engine.running import Execution, together
from api.mapping import KEY, Mapping
from api.permissions import Policy

Resolve = Callable[[Execution, Sequence[Any]], Awaitable[list[Any]]]
"""The results of one field for many objects, in their order."""
Read = Callable[[Sequence[Any]], list[Any]]
"""The same where nothing has to be called: the field is an attribute."""


class CompiledField:
    """One field of one selection: its definition, its merged nodes, how it is resolved."""

    def __init__(self, schema: Schema, parent: GraphQLObjectType, nodes: list[FieldNode], key: str) -> None:
        self.key = key
        self.nodes = nodes
        self.parent = parent
        self.name = nodes[0].name.value
        definition = schema._schema.get_field(parent, self.name)
        if definition is None or self.name.startswith("__"):
            raise Declined(f"{self.name} is introspection")
        self.definition: GraphQLField = definition
        field = definition.extensions.get("strawberry-definition")
        if not isinstance(field, StrawberryField):
            raise Declined(f"{parent.name}.{self.name} is not Strawberry's")
        self.field: StrawberryField = field
        self._schema = schema
        self._policies: list[Policy] = []
        self._constant = self._arguments(VariableValues({}, {})) if not self._varies() else None

    @property
    def mapping(self) -> Mapping | None:
        """What the field says that it is made of, if it says anything."""
        found: Mapping | None = self.field.metadata.get(KEY)
        return found

    @property
    def is_attribute(self) -> bool:
        """Whether Strawberry would only read an attribute of the object."""
        return bool(self.field.is_basic_field)

    def attribute(self) -> Read:
        read = attrgetter(self.field.python_name)
        return lambda sources: list(map(read, sources))

    def info(self, execution: Execution) -> RawInfo:
        return RawInfo(
            self.name,
            self.nodes,
            self.definition.type,
            self.parent,
            Path(None, self.key, self.parent.name),
            execution.schema,
            execution.fragments,
            execution.root,
            execution.operation,
            execution.variables.coerced,
            execution.context,
            None,  # type: ignore[arg-type]  # is_awaitable: no resolver of ours asks
            None,
            None,
            execution.extensions,
        )

    def arguments(self, execution: Execution) -> dict[str, Any]:
        """The arguments by their GraphQL names."""
        return self._arguments(execution.variables) if self._constant is None else self._constant

    def resolver(self) -> Resolve:
        if self.is_attribute:
            return self._read
        extensions = self.field.extensions
        if not all(type(each) is Policy for each in extensions):
            return self._through_extensions
        self._policies = cast("list[Policy]", extensions)
        return self._awaited if self.field.is_async else self._called

    def calls(self, execution: Execution) -> Callable[[Any], Any]:
        """The bare resolver with its arguments, to be called with one object; who asks may call it."""
        field, config = self.field, self._schema.config
        resolver = field.base_resolver
        assert resolver is not None
        info = config.info_class(_raw_info=cast(Any, self.info(execution)), _field=field)
        for policy in self._policies:
            policy.check(info)
        given = self.arguments(execution)
        kwargs = convert_arguments(
            given,
            field.arguments,
            scalar_registry=self._schema.schema_converter.scalar_registry,
            config=config,
            info=info,
        )
        if resolver.info_parameter:
            kwargs[resolver.info_parameter.name] = info
        if resolver.parent_parameter or resolver.root_parameter:
            raise Declined(f"{self.name} takes its object by name")
        called = cast("Callable[..., Any]", resolver.wrapped_func)
        if resolver.self_parameter:
            return lambda source: called(source, **kwargs)
        return lambda source: called(**kwargs)

    async def _read(self, execution: Execution, sources: Sequence[Any]) -> list[Any]:
        return self.attribute()(sources)

    async def _called(self, execution: Execution, sources: Sequence[Any]) -> list[Any]:
        return list(map(self.calls(execution), sources))

    async def _awaited(self, execution: Execution, sources: Sequence[Any]) -> list[Any]:
        return await together(list(map(self.calls(execution), sources)))

    async def _through_extensions(self, execution: Execution, sources: Sequence[Any]) -> list[Any]:
        resolve, info, given = self.definition.resolve, self.info(execution), self.arguments(execution)
        assert resolve is not None

        async def one(source: Any) -> Any:
            # Called in its own turn: where one raises at once, no other is left that nobody awaits.
            return await await_maybe(resolve(source, info, **given))

        return await together([one(source) for source in sources])

    def _arguments(self, variables: VariableValues) -> dict[str, Any]:
        if not self.definition.args:
            return {}
        return get_argument_values(self.definition, self.nodes[0], variables, None, True)

    def _varies(self) -> bool:
        return any(_has_variable(argument.value) for argument in self.nodes[0].arguments or ())


def _has_variable(node: ValueNode) -> bool:
    if isinstance(node, VariableNode):
        return True
    if isinstance(node, ListValueNode):
        return any(map(_has_variable, node.values))
    if isinstance(node, ObjectValueNode):
        return any(_has_variable(field.value) for field in node.fields)
    return False
