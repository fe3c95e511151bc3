"""The one schema, put together from the concepts' parts in their order."""

from typing import Any

import strawberry
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

import api.enums  # noqa: F401
from api.runs import RunMutations, RunQueries
from api.scalars import SCALARS

QUERIES: list[type[Any]] = [RunQueries]
MUTATIONS: list[type[Any]] = [RunMutations]
SUBSCRIPTIONS: list[type[Any]] = []


def build() -> strawberry.Schema:
    Query = strawberry.type(type("Query", tuple(QUERIES), {}), description="Questions; they change nothing.")
    Mutation = strawberry.type(
        type("Mutation", tuple(MUTATIONS), {}),
        description="Changes: one per business action, each in one transaction.",
    )
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
        extensions=[lambda: ParserCache(maxsize=512), lambda: ValidationCache(maxsize=512)],
    )


schema = build()
