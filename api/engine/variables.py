"""Coerces the variables of a request by what was found out about them once."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphql import (
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
    coerce_input_value,
    is_non_null_type,
)
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.utilities.coerce_input_value import coerce_default_value

from api.engine.declining import Declined


class Variable(NamedTuple):
    """One declared variable. Its default is `Undefined` where it has none."""

    name: str
    type: GraphQLInputType
    default: Any
    required: bool


def declared(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> list[Variable]:
    variables = []
    for definition in definitions:
        signature = get_variable_signature(schema, definition)
        if isinstance(signature, GraphQLError):
            raise Declined(signature.message)
        default = coerce_default_value(signature) if definition.default_value else Undefined
        variables.append(Variable(signature.name, signature.type, default, is_non_null_type(signature.type)))
    return variables


def coerced(variables: Sequence[Variable], given: Mapping[str, Any]) -> dict[str, Any]:
    """The variables' values. What is not given and has no default is absent, which is not null.

    Raises:
        Declined: one will not do; graphql-core says which, and why.
    """
    values: dict[str, Any] = {}
    for name, kind, default, required in variables:
        if name in given:
            value = coerce_input_value(given[name], kind)
            if value is Undefined:
                raise Declined(f"the variable {name} will not do")
            values[name] = value
        elif default is not Undefined:
            values[name] = default
        elif required:
            raise Declined(f"the variable {name} is missing")
    return values
