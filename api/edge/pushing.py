"""What goes to a subscriber: one result, encoded once, however many it goes to."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from strawberry.schema.schema import StreamResult
from strawberry.types.execution import ExecutionResult, PreExecutionError

from api.edge.answers import encode, is_request_error, payload, settled


@dataclass(frozen=True, slots=True)
class Push:
    """One result as JSON, with what its transport has to know of it."""

    body: str
    cursor: str | None = None
    refused: Sequence[GraphQLError] = ()
    """Why the operation did not begin; then nothing else comes."""
    close: tuple[int, str] | None = None
    """How the socket ends with it: a code and its reason."""


def pushed(result: ExecutionResult, *, first: bool) -> Push:
    body = payload(result)
    refused = isinstance(result, PreExecutionError) or (first and is_request_error(result))
    return Push(encode(body).decode(), cursor_of(body.get("data")), (result.errors or ()) if refused else ())


def told(event: ExecutionResult, extensions: Mapping[str, Any] | None = None) -> Push:
    """One event of a stream, as all who may see the same are told it: with nobody's cost or bucket."""
    body = payload(event)
    body.pop("extensions", None)
    if extensions:
        body["extensions"] = extensions
    return Push(encode(body).decode(), cursor_of(body.get("data")))


def ending(error: GraphQLError, close: tuple[int, str]) -> Push:
    """The end of a stream, with its reason."""
    return Push(encode({"errors": [error.formatted]}).decode(), close=close)


async def pushes(start: Callable[[], Awaitable[StreamResult]]) -> AsyncGenerator[Push, None]:
    """The results of an operation of any kind, made for this subscriber alone."""
    first = True
    async with aclosing(settled(start)) as results:
        async for result in results:
            push = pushed(result, first=first)
            yield push
            if push.refused:
                return
            first = False


def cursor_of(data: Mapping[str, Any] | None) -> str | None:
    """The cursor of the change that an event carries."""
    for value in (data or {}).values():
        cursor = value.get("cursor") if isinstance(value, dict) else None
        if isinstance(cursor, str) and cursor.isascii() and cursor.isprintable():
            return cursor
    return None


def next_event(push: Push) -> str:
    """A server-sent event; its id is what a browser sends back as `Last-Event-ID`.

    Lines end as urql looks for them: it finds no event that ends in CR LF.
    """
    identity = f"id: {push.cursor}\n" if push.cursor else ""
    return f"{identity}event: next\ndata: {push.body}\n\n"


COMPLETE = "event: complete\ndata: \n\n"
PING = ": ping\n\n"
STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # a proxy that gathers events would hold them back
}
