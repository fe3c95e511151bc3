"""How much one request may ask for, measured before any of it is validated or run."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    ValidationContext,
)
from strawberry.extensions import SchemaExtension

from api.limits.bounds import Bounds, limited
from api.limits.inputs import fault_in, fault_in_text, literals
from api.limits.survey import Figures, Survey

__all__ = ["Bounds", "Figures", "Limits", "Survey", "limited"]

ROOT_COST = 1
"""The operation's own object, so that no request is free."""


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
        bounds = self.bounds
        variables = self.execution_context.variables or {}
        if fault := self._fault_in_inputs(document, variables):
            yield fault
            return
        if len(document.definitions) > bounds.definitions:
            yield limited(
                "The definitions in the document", "definitions", bounds.definitions, len(document.definitions)
            )
            return
        executed = self._executed(document)
        survey = Survey(self.execution_context.schema._schema, document, executed, variables)
        # Validation reads all definitions, those that will not run as well.
        worst = Figures()
        for figures in (*self._of_operations(survey, document), *survey.of_fragments()):
            worst.depth = max(worst.depth, figures.depth)
            worst.aliases = max(worst.aliases, figures.aliases)
            worst.directives = max(worst.directives, figures.directives)
            worst.fields = max(worst.fields, figures.fields)
        measured = [
            ("The depth of the selection", "depth", bounds.depth, worst.depth),
            ("The aliases in the document", "aliases", bounds.aliases, worst.aliases),
            ("The directives in the document", "directives", bounds.directives, worst.directives),
            ("The fields in the document", "fields", bounds.fields, worst.fields),
        ]
        if executed:
            figures = survey.of_operation(executed)
            self._cost["requested"] = ROOT_COST + figures.cost
            measured.append(("The root fields", "rootFields", bounds.root_fields, figures.roots))
            if executed.operation is OperationType.MUTATION:
                measured.append(("The mutations", "mutations", bounds.mutations, figures.roots))
            measured.append(("The cost of the request", "cost", bounds.cost, self._cost["requested"]))
        for what, limit, maximum, figure in measured:
            if figure > maximum:
                yield limited(what, limit, maximum, figure)
