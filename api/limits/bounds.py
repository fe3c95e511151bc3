"""The figures that one request must keep to, and the error that names the one it broke."""

from dataclasses import dataclass

from graphql import GraphQLError


@dataclass(frozen=True)
class Bounds:
    """The most that one request may ask for."""

    tokens: int = 2_000
    definitions: int = 60
    depth: int = 10
    aliases: int = 30
    directives: int = 50
    fields: int = 500
    root_fields: int = 20
    mutations: int = 5
    cost: int = 5_000
    objects: int = 10_000
    """Of one answer, whatever it was taken to come to."""
    list_items: int = 100
    nesting: int = 30
    conditions: int = 200
    """Of one filter."""
    variable_bytes: int = 262_144


def limited(what: str, limit: str, maximum: float, measured: float) -> GraphQLError:
    """The refusal in words and in figures: which limit, how high it is, what was measured."""
    return GraphQLError(
        f"{what}: {measured:.12g}, and the limit is {maximum:.12g}.",
        extensions={"code": "LIMITED", "limit": limit, "maximum": maximum, "measured": measured},
    )
