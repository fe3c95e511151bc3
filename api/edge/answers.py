"""How results become HTTP: status codes, media types, and streams that always end with an answer."""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult, PreExecutionError

from api.edge.reading import GRAPHQL_JSON, JSON
from api.errors import Code, coded
from api.limits import RATE
from api.masking import presentable
from api.metering import count_errors

MAX_ERRORS = 5
"""A long list of errors is of use to an attacker only."""

REQUEST_ERROR_STATUS = 400
"""For a request that could not be run; a later text of the specification asks for 422."""

RATE_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

_STATUS_OF_CODE = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "INTERNAL": 500, "UNAVAILABLE": 503}


def encode(data: object) -> bytes:
    return orjson.dumps(data)


def payload(result: ExecutionResult) -> dict[str, Any]:
    """The result as the response format has it: no `data` when nothing ran."""
    errors = (result.errors or [])[:MAX_ERRORS]
    body: dict[str, Any] = {} if is_request_error(result) else {"data": result.data}
    if errors:
        body["errors"] = [error.formatted for error in errors]
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def is_request_error(result: ExecutionResult) -> bool:
    return result.data is None and bool(result.errors) and all(not each.path for each in result.errors or ())


def respond(result: ExecutionResult, media: str) -> Response:
    status, headers = 200, rate_headers(result.extensions)
    count_errors((result.errors or [])[:MAX_ERRORS])
    if is_request_error(result):
        assert result.errors
        said = result.errors[0].extensions or {}
        code = said.get("code")
        refused = REQUEST_ERROR_STATUS if media == GRAPHQL_JSON else 200
        status = 429 if said.get("limit") == RATE else _STATUS_OF_CODE.get(str(code), refused)
        if said.get("retryAfterSeconds"):
            headers["Retry-After"] = str(said["retryAfterSeconds"])
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _response(payload(result), status, media, headers)


def rate_headers(extensions: Mapping[str, Any] | None) -> dict[str, str]:
    """What is left to the caller, for whoever reads headers rather than `extensions.cost`."""
    throttle = ((extensions or {}).get("cost") or {}).get("throttle")
    if not throttle:
        return {}
    most, left = throttle["maximumAvailable"], throttle["currentlyAvailable"]
    full_in = math.ceil(max(0, most - left) / throttle["restoreRate"])
    return dict(zip(RATE_HEADERS, (f"{most:g}", f"{left:.0f}", str(full_in)), strict=True))


def refusal(
    status: int, why: str | GraphQLError, headers: Mapping[str, str] | None = None, media: str = JSON
) -> Response:
    """The answer to a request that GraphQL never saw."""
    error = coded(Code.BAD_REQUEST, why) if isinstance(why, str) else why
    count_errors([error])
    return _response({"errors": [error.formatted]}, status, media, headers)


def failed(error: Exception) -> PreExecutionError:
    return PreExecutionError(data=None, errors=[presentable(error)])


async def settled(start: Callable[[], Awaitable[StreamResult]]) -> AsyncGenerator[ExecutionResult, None]:
    """The results of a stream that does not raise: an exception becomes its last result.

    Strawberry lets an exception of an extension's hook (a cached parser's syntax error, say) out
    of a stream, which would end the connection without a word.
    """
    try:
        async with aclosing(await start()) as results:
            async for result in results:
                if not isinstance(result, ExecutionResult):
                    raise GraphQLError("Incremental delivery is not offered here.")
                if result.errors:
                    result.errors = [presentable(error) for error in result.errors[:MAX_ERRORS]]
                    count_errors(result.errors)
                yield result
    except Exception as error:
        ended = failed(error)
        count_errors(ended.errors or ())
        yield ended


def _response(body: object, status: int, media: str, headers: Mapping[str, str] | None) -> Response:
    return Response(encode(body), status, headers, media_type=f"{media}; charset=utf-8")
