"""What one operation of a document weighs, and which limits it breaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType

from api.limits.bounds import Bounds, limited
from api.limits.survey import Survey

ROOT_COST = 1
"""The operation's own object, so that no request is free."""


@dataclass(frozen=True)
class Weight:
    """What an operation costs, and the refusals for all that is too large about its document."""

    cost: int
    refusals: tuple[GraphQLError, ...] = ()
    introspects: bool = False
    """Whether it asks for the schema itself."""


def weigh(
    schema: GraphQLSchema,
    document: DocumentNode,
    executed: OperationDefinitionNode | None,
    variables: Mapping[str, Any],
    bounds: Bounds,
) -> Weight:
    """Measure a document of which one operation will run with these variables.

    Of a variable only three things count: which whole number it is, how long a list, and how many
    conditions.
    """
    if (count := len(document.definitions)) > bounds.definitions:
        return Weight(
            0, (limited("The definitions in the document", "definitions", bounds.definitions, count),)
        )
    survey = Survey(schema, document, executed, variables)
    operations = {
        id(definition): survey.of_operation(definition)
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    }
    # Validation reads all definitions, those that will not run as well.
    shapes = [*operations.values(), *survey.of_fragments()]
    measured = [
        ("The depth of the selection", "depth", bounds.depth, max(each.depth for each in shapes)),
        ("The aliases", "aliases", bounds.aliases, max(each.aliases for each in shapes)),
        ("The directives", "directives", bounds.directives, max(each.directives for each in shapes)),
        ("The fields", "fields", bounds.fields, max(each.fields for each in shapes)),
    ]
    cost = 0
    if executed:
        figures = operations[id(executed)]
        cost = ROOT_COST + figures.cost
        measured.append(("The root fields", "rootFields", bounds.root_fields, figures.roots))
        if executed.operation is OperationType.MUTATION:
            measured.append(("The mutations", "mutations", bounds.mutations, figures.roots))
        measured.append(("The conditions of a filter", "conditions", bounds.conditions, figures.conditions))
        measured.append(("The cost", "cost", bounds.cost, cost))
    return Weight(
        cost,
        tuple(
            limited(what, limit, maximum, figure)
            for what, limit, maximum, figure in measured
            if figure > maximum
        ),
        survey.introspects,
    )
