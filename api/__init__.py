"""Speaks GraphQL: an edge of Starlette around one Strawberry schema, over the domain."""
