"""Operations over a WebSocket: every message is checked, every operation stands alone."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, Protocol, cast

from graphql import GraphQLError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)

from api.edge.answers import encode, failed
from api.edge.documents import Documents
from api.edge.numbering import numbered_operation
from api.edge.pushing import Push
from api.edge.reading import Asked, decode
from api.limits import limited
from api.masking import presentable

MAX_ID = 128
TRY_LATER = 1013
MAX_REASON = 123
"""The bytes that a close frame has room for."""

_CLOSE_OF_CODE = {
    "UNAUTHENTICATED": (4401, "Unauthorized"),
    "FORBIDDEN": (4403, "Forbidden"),
    "UNAVAILABLE": (TRY_LATER, "Try again later"),  # 4500 would have a client give up for good
}


async def turned_away(socket: WebSocket, why: str) -> None:
    """Close a socket before anything is said; it is accepted first, since only then its client hears why."""
    spoken = GRAPHQL_TRANSPORT_WS_PROTOCOL in socket.scope.get("subprotocols", ())
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL if spoken else None)
        await socket.close(TRY_LATER, why.encode()[:MAX_REASON].decode(errors="ignore"))


class Door(Protocol):
    """What the socket needs of the view it belongs to."""

    max_message_bytes: int
    documents: Documents

    async def authenticate(self, authorization: str | None, /) -> object | None: ...

    def admit(self, principal: Any, /) -> Callable[[], None]: ...

    def pushes(self, asked: Asked, principal: Any, connection: Any, /) -> AsyncGenerator[Push, None]: ...


class Socket(ASGIWebSocketAdapter):
    """Text frames of JSON, of bounded size. Closing twice, or sending to a closed socket, does no harm."""

    ws: WebSocket

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:
        most = cast(Door, self.view).max_message_bytes
        while self.ws.application_state is WebSocketState.CONNECTED:
            try:
                text = await self.ws.receive_text()
            except (WebSocketDisconnect, RuntimeError):
                return
            except KeyError:
                raise NonTextMessageReceived from None
            if len(text) > most:
                await self.close(1009, f"A message has at most {most} bytes")
                return
            try:
                message = decode(text)
            except ValueError:
                raise NonJsonMessageReceived from None
            yield message

    async def send_json(self, message: Any) -> None:
        await self.send_text(encode(message).decode())

    async def send_text(self, text: str) -> None:
        try:
            await self.ws.send({"type": "websocket.send", "text": text})
        except (WebSocketDisconnect, RuntimeError):
            raise WebSocketDisconnected from None

    async def close(self, code: int, reason: str) -> None:
        # Two closings may cross: a message refused here, the client gone, the time for its init over.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.ws.close(code, reason.encode()[:MAX_REASON].decode(errors="ignore"))


class Handler(BaseGraphQLTransportWSHandler[object, None]):
    """graphql-transport-ws with authentication before the ack and a fresh context for each operation."""

    principal: object
    authorization: str | None
    count = 0
    """Operations so far."""

    def leave(self) -> None:
        """Count the socket out; nothing before it was counted in."""

    async def handle_message(self, message: Message) -> None:
        if fault := _fault(message):
            await self.handle_invalid_message(fault)
        else:
            await super().handle_message(message)

    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        parameters = message.get("payload") or {}
        if not self.connection_init_received:
            if self.connection_init_timeout_task:
                self.connection_init_timeout_task.cancel()
            self.authorization = _authorization(parameters)
            try:
                principal = await self._door.authenticate(self.authorization)
            except Exception as error:
                code = (presentable(error).extensions or {})["code"]
                await self.websocket.close(*_CLOSE_OF_CODE.get(code, (4500, "Internal error")))
                return
            if principal is None:
                await self.websocket.close(*_CLOSE_OF_CODE["UNAUTHENTICATED"])
                return
            try:
                self.leave = self._door.admit(principal)  # type: ignore[method-assign]
            except GraphQLError as error:
                await self.websocket.close(TRY_LATER, error.message)
                return
            self.principal = principal
            self._connection.state.principal = principal
        await super().handle_connection_init({"type": "connection_init", "payload": parameters})

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        most = self.max_subscriptions_per_connection
        running = len(self.operations)
        if most is not None and running >= most and message["id"] not in self.operations:
            refused = limited("The operations of one connection", "subscriptions", most, running + 1)
            await self.send_message({"id": message["id"], "type": "error", "payload": [refused.formatted]})
        elif await self._still_welcome():
            payload = message["payload"]
            try:
                self._door.documents.text(payload["query"], None, payload.get("extensions"))
            except GraphQLError as error:
                await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})
                return
            await super().handle_subscribe(message)

    async def _still_welcome(self) -> bool:
        """Whether the credential of the socket still holds; closes the socket if it has ended."""
        if not self.connection_acknowledged:
            return True  # refused by the protocol
        try:
            principal = await self._door.authenticate(self.authorization)
        except Exception as error:
            code = (presentable(error).extensions or {})["code"]
            await self.websocket.close(*_CLOSE_OF_CODE.get(code, (4500, "Internal error")))
            return False
        if principal is None:
            await self.websocket.close(*_CLOSE_OF_CODE["FORBIDDEN"])
            return False
        self.principal = principal
        self._connection.state.principal = principal
        return True

    async def run_operation(self, operation: Operation[object, None]) -> None:
        """Run one operation to its end: results and `complete`, or one `error`. The socket lives on."""
        asked = Asked(operation.query, operation.variables, operation.operation_name, None)
        head = f'{{"id":{encode(operation.id).decode()},"type":"next","payload":'
        self.count += 1
        with numbered_operation(self.count), suppress(WebSocketDisconnected):
            try:
                async with aclosing(self._door.pushes(asked, self.principal, self._connection)) as found:
                    async for push in found:
                        if push.refused:
                            await operation.send_initial_errors(list(push.refused))
                            return
                        await self._socket.send_text(f"{head}{push.body}}}")
                        if push.close:
                            await self.websocket.close(*push.close)
                            return
                await operation.send_operation_message({"id": operation.id, "type": "complete"})
            except WebSocketDisconnected:
                raise
            except Exception as error:  # a result that cannot be encoded
                await operation.send_initial_errors(failed(error).errors or [])

    async def shutdown(self) -> None:
        try:
            await super().shutdown()
        finally:
            self.leave()

    def forget_id(self, id: str) -> None:
        self.operations.pop(id, None)

    @property
    def _door(self) -> Door:
        return cast(Door, self.view)

    @property
    def _socket(self) -> Socket:
        return cast(Socket, self.websocket)

    @property
    def _connection(self) -> WebSocket:
        return self._socket.ws


def _authorization(parameters: dict[str, object]) -> str | None:
    value = parameters.get("Authorization", parameters.get("authorization"))
    return value if isinstance(value, str) else None


def _fault(message: object) -> str | None:
    """What is wrong with a message, in the words of the close frame; None for a proper one."""
    if not isinstance(message, dict):
        return "A message has to be an object"
    kind, payload = message.get("type"), message.get("payload")
    if kind in ("connection_init", "ping", "pong"):
        return None if isinstance(payload, dict | None) else "The payload has to be an object"
    if kind not in ("subscribe", "complete"):
        return "The type of the message is unknown"
    identity = message.get("id")
    if not isinstance(identity, str) or not 0 < len(identity) <= MAX_ID:
        return f"The id has to be a string of 1 to {MAX_ID} characters"
    if kind == "complete":
        return None
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        return "The payload has to be an object with a query"
    if not isinstance(payload.get("operationName"), str | None):
        return "operationName has to be a string"
    if not all(isinstance(payload.get(name), dict | None) for name in ("variables", "extensions")):
        return "variables and extensions have to be objects"
    return None
