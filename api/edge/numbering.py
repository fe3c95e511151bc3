"""Every request has a number of its own: in all that is logged of it, and in its answer."""

import secrets
from contextlib import AbstractContextManager

import structlog
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"


class Numbered:
    """Gives each request and each socket a number, and says it in `X-Request-Id`.

    What a caller sends under that name is not taken: it would stand in the logs, and might be anybody's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        number = secrets.token_hex(8)

        async def telling(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                MutableHeaders(scope=message)[HEADER] = number
            await send(message)

        with structlog.contextvars.bound_contextvars(request=number):
            await self.app(scope, receive, telling)


def numbered_operation(count: int) -> AbstractContextManager[None]:
    """The block of one operation of a socket: it is logged under the socket's number and its own."""
    socket = structlog.contextvars.get_contextvars().get("request", "")
    return structlog.contextvars.bound_contextvars(request=f"{socket}-{count}")
