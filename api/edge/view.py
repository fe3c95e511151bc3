"""The GraphQL endpoint over HTTP, server-sent events and WebSocket."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import ExitStack, aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from graphql import GraphQLError
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.http.streaming import merge_stream_with_heartbeat
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.schema.schema import StreamResult
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from api.edge.answers import failed, refusal, respond
from api.edge.documents import Documents
from api.edge.pushing import COMPLETE, PING, STREAM_HEADERS, Push, next_event, pushes
from api.edge.reading import Asked, Refused, accepted, answer_type, read, wants_stream
from api.edge.sockets import Handler, Socket, turned_away

Authenticate = Callable[[str | None], Awaitable[object | None]]
MakeContext = Callable[[Any, Any], object]
Follow = Callable[[Asked, Any, Any], AsyncGenerator[Push, None] | None]
Arrive = Callable[[], Callable[[], None]]
Admit = Callable[[Any], Callable[[], None]]


def _nothing() -> None:
    """Nobody counted who came in."""


class View(GraphQL[object, None]):
    """Answers GraphQL for whoever `authenticate` recognises.

    `authenticate` gets the Authorization header, or the value of that name in `connection_init`,
    and returns who asks, or None. `make_context` gets that principal and the request or WebSocket
    and is called for each operation, within one socket too. `page` makes the answer to a browser.
    `follow` tells many subscribers together what it can. `arrive` counts a long connection in before
    anybody knows whose it is, `admit` once that is known; each returns what counts it out, and raises
    the limit that there is.
    `documents` are the operations that are known by name.
    """

    graphql_transport_ws_handler_class = Handler
    websocket_adapter_class = Socket

    def __init__(
        self,
        schema: BaseSchema,
        *,
        authenticate: Authenticate,
        make_context: MakeContext,
        allow_get: bool = True,
        page: Callable[[], Response] | None = None,
        connection_init_wait_timeout: timedelta = timedelta(seconds=10),
        max_subscriptions: int = 20,
        max_message_bytes: int = 1_000_000,
        allowed_origins: Collection[str] = (),
        heartbeat_seconds: float = 15,
        follow: Follow | None = None,
        arrive: Arrive = lambda: _nothing,
        admit: Admit = lambda _: _nothing,
        documents: Documents | None = None,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=connection_init_wait_timeout,
            max_subscriptions_per_connection=max_subscriptions,
            allowed_origins=tuple(allowed_origins),
        )
        self.authenticate = authenticate
        self.make_context = make_context
        self.allow_get = allow_get
        self.page = page
        self.max_message_bytes = max_message_bytes
        self.follow = follow
        self.arrive = arrive
        self.admit = admit
        self.heartbeat_seconds = heartbeat_seconds
        self.documents = documents or Documents()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._socket(scope, receive, send)
            return
        request = Request(scope, receive)
        media = answer_type(accepted(request.headers.get("accept", "")))
        try:
            response = await self._answer(request, media)
        except Refused as refused:
            response = refusal(refused.status, refused.why, refused.headers, media)
        except ClientDisconnect:
            return
        except Exception as error:
            response = respond(failed(error), media)
        try:
            await response(scope, receive, send)
        finally:
            getattr(request.state, "leave", _nothing)()

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            leave = self.arrive()
        except GraphQLError as error:
            await turned_away(WebSocket(scope, receive, send), error.message)
            return
        try:
            await super().__call__(scope, receive, send)
        finally:
            leave()

    async def get_context(self, request: HTTPConnection, response: Any) -> object:
        """None: a socket has no context of its own, only its operations have."""
        return None

    async def _answer(self, request: Request, media: str) -> Response:
        if request.method == "GET":
            if self.page and "query" not in request.query_params and _is_browser(request):
                return self.page()
            if not self.allow_get:
                raise Refused(405, "GraphQL takes POST here.", {"Allow": "POST"})
        elif request.method != "POST":
            raise Refused(405, "GraphQL takes GET and POST.", {"Allow": "GET, POST"})
        principal = await self.authenticate(request.headers.get("authorization"))
        if principal is None:
            error = GraphQLError("Not signed in.", extensions={"code": "UNAUTHENTICATED"})
            return respond(PreExecutionError(data=None, errors=[error]), media)
        request.state.principal = principal
        asked = await read(request)
        text = self.documents.text(asked.query, asked.document_id, asked.extensions)
        if text is not asked.query:
            asked = replace(asked, query=text)
        if wants_stream(accepted(request.headers.get("accept", "")), asked):
            return self._stream(request, asked, principal)
        context = self.make_context(principal, request)
        return await self._execute(request, asked, context, media)

    async def _execute(self, request: Request, asked: Asked, context: object, media: str) -> Response:
        allowed = {OperationType.QUERY}
        if request.method == "POST":
            allowed.add(OperationType.MUTATION)
        try:
            result = await self.schema.execute(
                asked.query,
                variable_values=asked.variables,
                context_value=context,
                operation_name=asked.operation_name,
                operation_extensions=asked.extensions,
                allowed_operation_types=allowed,
            )
        except MissingQueryError:
            raise Refused(400, "There is no query in the request.") from None
        except CannotGetOperationTypeError as error:
            raise Refused(400, error.as_http_error_reason()) from None
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.MUTATION:
                raise Refused(405, "Mutations take POST.", {"Allow": "POST"}) from None
            raise Refused(
                400, "Subscriptions take a WebSocket, or POST with Accept: text/event-stream."
            ) from None
        return respond(result, media)

    def pushes(
        self, asked: Asked, principal: Any, connection: Any, allowed: Collection[OperationType] | None = None
    ) -> AsyncGenerator[Push, None]:
        """The results of an operation of any kind, one after another."""
        followed = self.follow(asked, principal, connection) if self.follow else None
        if followed is not None:
            return followed

        def start() -> Awaitable[StreamResult]:
            return self.schema.stream(
                asked.query,
                variable_values=asked.variables,
                context_value=self.make_context(principal, connection),
                operation_name=asked.operation_name,
                operation_extensions=asked.extensions,
                allowed_operation_types=allowed,
            )

        return pushes(start)

    def _stream(self, request: Request, asked: Asked, principal: Any) -> Response:
        allowed = OperationType.from_http(cast(Any, request.method))
        if last := request.headers.get("last-event-id"):
            asked = replace(asked, variables={**(asked.variables or {}), "after": last}, resume=last)
        request.state.leave = self._admitted(principal)

        async def texts() -> AsyncGenerator[str, None]:
            async with aclosing(self.pushes(asked, principal, request, allowed)) as found:
                async for push in found:
                    yield next_event(push)
            yield COMPLETE

        stream = merge_stream_with_heartbeat(
            texts, lambda: PING, self.heartbeat_seconds, send_initial_heartbeat=False
        )
        return StreamingResponse(stream(), headers=STREAM_HEADERS)

    def _admitted(self, principal: Any) -> Callable[[], None]:
        """Count a stream in; `Refused` when it is one too many."""
        with ExitStack() as stack:
            try:
                stack.callback(self.arrive())
                stack.callback(self.admit(principal))
            except GraphQLError as error:
                raise Refused(429, error) from None
            return stack.pop_all().close


def _is_browser(request: Request) -> bool:
    return "text/html" in accepted(request.headers.get("accept", ""))
