"""How much one request may ask for, measured before any of it is validated or run."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    ValidationContext,
)
from strawberry.extensions import SchemaExtension

from api.limits.allowance import Allowance, Exceeded, OutOfTime, TooManyObjects, current
from api.limits.bounds import Bounds, limited
from api.limits.buckets import Buckets
from api.limits.conditions import Measured, conditions_in
from api.limits.inputs import bytes_of, fault_in, fault_in_text, literals
from api.limits.rationing import RATE, Ration, Rationed
from api.limits.sizes import SIZES
from api.limits.survey import Survey
from api.limits.terms import FREE, Terms, terms_of
from api.limits.weighing import Weight, weigh

__all__ = [
    "FREE",
    "RATE",
    "SIZES",
    "Allowance",
    "Bounds",
    "Buckets",
    "Exceeded",
    "Limits",
    "Measured",
    "OutOfTime",
    "Ration",
    "Rationed",
    "Survey",
    "Terms",
    "TooManyObjects",
    "Weight",
    "bytes_of",
    "conditions_in",
    "current",
    "fault_in",
    "fault_in_text",
    "limited",
    "terms_of",
    "weigh",
]


class Limits(SchemaExtension):
    """Refuses what is too large, whether or not its validation is cached.

    List it before `ParserCache` and `ValidationCache`: a document built to make validation slow
    is then refused before it is validated. The requested cost stands in
    `execution_context.extensions_results["cost"]`, where others may add to it, and in the
    `extensions` of every answer.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        super().__init__()
        self.bounds = bounds or Bounds()

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = self.bounds.tokens
        self._cost["requested"] = 0
        yield

    def on_validate(self) -> Iterator[None]:
        context = self.execution_context
        assert context.graphql_document
        if refusals := list(self._refusals(context.graphql_document)):
            context.pre_execution_errors = refusals
            # A validation cache overwrites that list with what the rules find, so they find the same.
            context.validation_rules = (_refusing(refusals),)
        yield

    def get_results(self) -> dict[str, Any]:
        return {"cost": self._cost}

    @property
    def _cost(self) -> dict[str, Any]:
        cost: dict[str, Any] = self.execution_context.extensions_results.setdefault("cost", {})
        return cost

    def _refusals(self, document: DocumentNode) -> Iterator[GraphQLError]:
        context = self.execution_context
        variables = context.variables or {}
        if fault := self._fault_in_name(document) or self._fault_in_inputs(document, variables):
            yield fault
            return
        weight = weigh(context.schema._schema, document, self._executed(document), variables, self.bounds)
        if weight.introspects and not terms_of(context.context).introspection:
            yield GraphQLError(
                "Introspection is off here; the schema is published as schema.graphql.",
                extensions={"code": "FORBIDDEN"},
            )
            return
        self._cost["requested"] = weight.cost
        yield from weight.refusals

    def _fault_in_name(self, document: DocumentNode) -> GraphQLError | None:
        """Strawberry runs the first of several operations when it is told no name; nobody asked for that."""
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        if len(operations) < 2 or self.execution_context._provided_operation_name is not None:
            return None
        return GraphQLError(
            "Say in operationName which operation to run.", extensions={"code": "BAD_REQUEST"}
        )

    def _fault_in_inputs(self, document: DocumentNode, variables: Mapping[str, Any]) -> GraphQLError | None:
        if fault := fault_in_text(self.execution_context.query, variables):
            return fault
        values = chain(variables.values(), literals(document))
        if fault := next((fault for value in values if (fault := fault_in(value, self.bounds))), None):
            return fault
        size, most = bytes_of(variables), self.bounds.variable_bytes
        return limited("The bytes of the variables", "variableBytes", most, size) if size > most else None

    def _executed(self, document: DocumentNode) -> OperationDefinitionNode | None:
        name = self.execution_context.operation_name
        for definition in document.definitions:
            if isinstance(definition, OperationDefinitionNode) and (
                name is None or (definition.name and definition.name.value == name)
            ):
                return definition
        return None


def _refusing(refusals: list[GraphQLError]) -> type[ASTValidationRule]:
    class Refusing(ASTValidationRule):
        """Finds what the limits found."""

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            for refusal in refusals:
                self.report_error(refusal)

    return Refusing
