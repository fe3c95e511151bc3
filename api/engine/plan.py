"""A document that was read once: valid, measured, its variables known, compiled when it is asked for."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from graphql import (
    BooleanValueNode,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    OverlappingFieldsCanBeMergedRule,
    VariableNode,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues
from strawberry import Schema
from strawberry.schema.schema import validate_document

from api.deprecating import used
from api.engine.cache import Recent
from api.engine.completion import Compiler
from api.engine.declining import Declined, NoQuery, NotValid
from api.engine.lifting import Shape, Slot, Token, lifted, size_of, value_of
from api.engine.running import Execution
from api.engine.selecting import Complete
from api.engine.variables import Variable, coerced, declared
from api.limits import Allowance, Bounds, Measured, Weight, bytes_of, conditions_in, fault_in, weigh

VARIANTS, WEIGHTS = 8, 64
"""How many choices of `@skip` and `@include`, and of page sizes, are remembered of one document."""


class Plan:
    """How one operation of a document is answered. What it is made of holds for every caller."""

    def __init__(
        self,
        schema: Schema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        slots: Sequence[Slot],
        deprecated: Collection[str],
        bounds: Bounds,
    ) -> None:
        self.schema = schema
        self.slots = slots
        self.operation = operation
        self.deprecated = deprecated
        """What of it is deprecated."""
        self._document = document
        self._bounds = bounds
        self._variables: list[Variable] = declared(schema._schema, operation.variable_definitions or ())
        self._flags = _flags(document) & {variable.name for variable in self._variables}
        definitions = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
        self._fragments = {each.name.value: FragmentDetails(each) for each in definitions}
        self._raw_fragments = {each.name.value: each for each in definitions}
        self._weights: Recent[tuple[Any, ...], Weight] = Recent(WEIGHTS)
        self._variants: Recent[tuple[Any, ...], Complete] = Recent(VARIANTS)

    @property
    def operation_name(self) -> str | None:
        return self.operation.name.value if self.operation.name else None

    def cost(self, tokens: Sequence[Token], given: Mapping[str, Any]) -> int:
        """What the operation costs with these values.

        Raises:
            Declined: it breaks a limit.
        """
        names = [variable.name for variable in self._variables]
        sizes = {name: _size(given[name]) for name in names if name in given}
        for slot in self.slots:
            sizes[slot.name] = size_of(tokens[slot.place])
        key = tuple(sizes.items())
        weight = self._weights.get(key)
        if weight is None:
            measured = {
                name: Measured(*size) if isinstance(size, tuple) else size for name, size in sizes.items()
            }
            weight = weigh(self.schema._schema, self._document, self.operation, measured, self._bounds)
            self._weights.put(key, weight)
        if weight.refusals:
            raise Declined(weight.refusals[0].message)
        return weight.cost

    def values(self, tokens: Sequence[Token], given: Mapping[str, Any]) -> dict[str, Any]:
        """The values of all variables, those that stand for literals too.

        Raises:
            Declined: one will not do.
        """
        if bytes_of(given) > self._bounds.variable_bytes:
            raise Declined("the variables are too large")
        for value in given.values():
            if fault_in(value, self._bounds):
                raise Declined("a value breaks a limit")
        values = coerced(self._variables, given)
        for name, place, scalar in self.slots:
            value = values[name] = value_of(tokens[place], scalar)
            if isinstance(value, str | float | int) and fault_in(value, self._bounds):
                raise Declined("a literal breaks a limit")
        return values

    async def run(
        self, values: dict[str, Any], context: Any, root: Any, extensions: Any, allowance: Allowance
    ) -> dict[str, Any]:
        """The operation's data. Any exception but `Exceeded` says that graphql-core has to answer it."""
        chosen = tuple([(name, values.get(name)) for name in self._flags])
        complete = self._variants.get(chosen)
        if complete is None:
            flags = VariableValues({}, dict(chosen))
            compiler = Compiler(self.schema, self.operation, self._fragments, flags)
            try:
                complete = compiler.operation()
            except Declined as declined:
                complete = _never(declined)
            self._variants.put(chosen, complete)
        execution = Execution(
            self.schema._schema,
            self.operation,
            self._raw_fragments,
            VariableValues({}, values),
            context,
            root,
            extensions,
            allowance,
        )
        (data,) = await complete(execution, [root])
        return data  # type: ignore[no-any-return]


def plan(
    schema: Schema, text: str, shape: Shape, name: str | None, given: Mapping[str, Any], bounds: Bounds
) -> Plan:
    """Read a document for the first time.

    It is measured with the values of this request before it is validated: one that was built to make
    validation slow gets no further.

    Raises:
        Declined: it is no query, not valid, or too large.
    """
    try:
        document = parse(text, max_tokens=bounds.tokens)
    except GraphQLError as error:  # its message alone: its whole text quotes the document, at length
        raise NotValid(error.message) from None
    except RecursionError as error:
        raise NotValid(str(error)) from None
    operation = _operation(document, name)
    if weigh(schema._schema, document, operation, given, bounds).refusals:
        raise Declined("it is too large")
    if validate_document(schema._schema, document, tuple(specified_rules)):
        raise NotValid("it is not valid")
    changed, slots = lifted(schema._schema, document, shape)
    if validate(schema._schema, changed, [OverlappingFieldsCanBeMergedRule]):
        # Two fields are one because their literals are the same; so these are not values to be changed.
        changed, slots = document, []
    deprecated = used(schema._schema, document)
    return Plan(schema, changed, _operation(changed, name), slots, deprecated, bounds)


def _never(declined: Declined) -> Complete:
    async def complete(execution: Execution, values: Sequence[Any]) -> list[Any]:
        raise declined.again()

    return complete


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    operations = [
        each
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode)
        and (name is None or (each.name and each.name.value == name))
    ]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY:
        raise NoQuery("it is not one query")
    return operations[0]


def _size(value: Any) -> Any:
    """What the limits see of a variable's value: a whole number, or a length and the conditions in it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, list | dict):
        return len(value) if isinstance(value, list) else 0, conditions_in(value, {}, {})
    return None


def _flags(document: DocumentNode) -> set[str]:
    """The variables that decide what is selected."""
    found: set[str] = set()

    class Directives(Visitor):
        def enter_directive(self, node: Any, *_: Any) -> None:
            for argument in node.arguments:
                if isinstance(argument.value, VariableNode):
                    found.add(argument.value.name.value)
                elif not isinstance(argument.value, BooleanValueNode):
                    raise Declined("a directive with something else than a truth value")

    visit(document, Directives())
    return found
