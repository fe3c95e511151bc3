"""What a client may see of an error: what it did wrong, never how Careline is built."""

import re
import secrets
from collections.abc import Iterator
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import StreamExecutionResult

from api.errors import refused_as
from domain import db
from domain.errors import DomainError

_ABOUT_THE_REQUEST = (DomainError, MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
_SUGGESTION = re.compile(r" Did you mean [^?]*\?")
"""graphql-core's, of which Strawberry leaves out those about fields: by them, a guesser learns the schema."""
_TOO_MANY_TOKENS = re.compile(r"Syntax Error: Document contains more than (\d+) tokens\. Parsing aborted\.")


def presentable(error: Exception) -> GraphQLError:
    """The error as a client may see it.

    An error with a code, or one that graphql-core raised about the request, passes and always
    has a code afterwards. A database that is away is UNAVAILABLE. Anything else is logged and
    replaced by "Internal error" with the number of the incident. The second time nothing changes
    and nothing is logged.
    """
    if not isinstance(error, GraphQLError):
        error = GraphQLError(str(error), original_error=error)
    if "code" in (error.extensions or {}):
        return error
    if not _is_about_the_request(error):
        failure = db.failure_of(error)
        return _incident(error) if failure is None else _unavailable(error, failure)
    error.extensions = {**(error.extensions or {}), **_coded(error)}
    error.message = _SUGGESTION.sub("", error.message)
    return error


def _unavailable(error: GraphQLError, failure: db.Failure) -> GraphQLError:
    """The database is away or overloaded: nobody's mistake, and worth another try."""
    structlog.get_logger(__name__).warning("database_unavailable", failure=failure.value)
    if failure is db.Failure.MIGRATING:
        message = "The database is being brought up to date and takes no changes; try again in a moment."
    else:
        message = "The database cannot serve this just now; try again in a moment."
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={"code": "UNAVAILABLE"},
    )


def _is_about_the_request(error: GraphQLError) -> bool:
    origin = error.original_error
    if error.path is None and error.nodes:
        # Validation and coercion name the nodes they read and carry the scalar's own exception.
        return True
    if error.path and " cannot represent " in error.message and not getattr(origin, "nodes", None):
        # A resolver returned what its type cannot hold: our mistake, and the message quotes the value.
        return False
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    return origin is None or isinstance(origin, _ABOUT_THE_REQUEST)


def _coded(error: GraphQLError) -> dict[str, Any]:
    if isinstance(error, GraphQLSyntaxError) and (found := _TOO_MANY_TOKENS.fullmatch(error.message)):
        maximum = int(found[1])
        # The parser stops at the first token too many, so that is how far it measured.
        return {"code": "LIMITED", "limit": "tokens", "maximum": maximum, "measured": maximum + 1}
    origin: Exception | None = error
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    return refused_as(origin) if isinstance(origin, DomainError) else {"code": "BAD_REQUEST"}


def _incident(error: GraphQLError) -> GraphQLError:
    incident = secrets.token_hex(4)
    structlog.get_logger(__name__).error(
        "unexpected_error", incident=incident, exc_info=error.original_error or error
    )
    return GraphQLError(
        "Internal error",
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={"code": "INTERNAL", "incident": incident},
    )


def _mask(errors: list[GraphQLError] | None) -> None:
    # In place: Strawberry has already put this very list into the answer.
    if errors:
        errors[:] = [presentable(error) for error in errors]


class Mask(SchemaExtension):
    """Makes every error of every answer presentable.

    `get_results` is the one hook that Strawberry calls on all paths once the errors are known:
    after execution, after a refused document, after a failing hook, and for each event of a
    subscription. What leaves a stream by other ways passes `on_stream_result`.
    """

    def get_results(self) -> dict[str, Any]:
        _mask(self.execution_context.pre_execution_errors)
        return {}

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        for part in (
            result,
            *(getattr(result, "incremental", None) or ()),
            *(getattr(result, "completed", None) or ()),
        ):
            _mask(getattr(part, "errors", None))
        yield
