"""The coded errors at the top of a response: the caller's fault, said plainly."""

from enum import StrEnum

from graphql import GraphQLError

from domain.errors import DomainError


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
    return coded(Code.BAD_REQUEST, str(error) if named else f"{'.'.join(path)}: {error}")
