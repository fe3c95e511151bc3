"""The coded errors at the top of a response: the caller's fault, said plainly."""

from enum import StrEnum
from typing import Any

from graphql import GraphQLError

from domain.errors import DomainError
from domain.paging import TooMany


class Code(StrEnum):
    """`extensions.code` of a top-level error."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    LIMITED = "LIMITED"
    RESYNC_REQUIRED = "RESYNC_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"
    INTERNAL = "INTERNAL"


def coded(code: Code, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code.value})


def bad_request(error: DomainError) -> GraphQLError:
    """A query's no: there is no payload that could carry a refusal. It names the argument, and once."""
    path = error.problems[0].field
    named = not path or str(error).startswith(f"{path[-1]} ")
    message = str(error) if named else f"{'.'.join(path)}: {error}"
    return GraphQLError(message, extensions=refused_as(error))


def refused_as(error: DomainError) -> dict[str, Any]:
    """The extensions of a query's no."""
    if isinstance(error, TooMany):
        figures = {"limit": "pageSize", "maximum": error.maximum, "measured": error.measured}
        return {"code": Code.LIMITED.value, **figures}
    return {"code": Code.BAD_REQUEST.value}
