"""A small schema behind the real edge, for the tests of the edge alone."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2
import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig

from api.edge import Guard, View
from api.limits import Limits
from api.masking import Mask

TOKEN = "Bearer good"


@dataclass
class Log:
    """What the edge asked of the application."""

    contexts: list["Context"] = field(default_factory=list)
    mutations: list[str] = field(default_factory=list)
    closed_streams: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Context:
    principal: Any
    connection: Any
    log: Log


@strawberry.type
class Change:
    cursor: str
    number: int


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def who(self, info: strawberry.Info) -> str:
        return f"{info.context.principal} {id(info.context)}"

    @strawberry.field
    def echo(self, value: JSON) -> JSON:
        return value

    @strawberry.field
    def unspeakable(self) -> JSON:
        return 2**70

    @strawberry.field
    def boom(self) -> str:
        raise RuntimeError("secret postgres://user:pass@db/prod")

    @strawberry.field
    async def forever(self) -> str:
        await asyncio.Event().wait()
        return "never"


@strawberry.type
class Mutation:
    @strawberry.mutation
    def rename(self, info: strawberry.Info, name: str) -> str:
        info.context.log.mutations.append(name)
        return name


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 3, after: str | None = None) -> AsyncIterator[Change]:
        start = int(after) + 1 if after else 1
        for number in range(start, to + 1):
            yield Change(cursor=str(number), number=number)

    @strawberry.subscription
    async def wait(self, info: strawberry.Info) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            info.context.log.closed_streams.set()

    @strawberry.subscription
    async def breaks(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("secret")

    @strawberry.subscription
    async def revoked(self, info: strawberry.Info) -> AsyncIterator[int]:
        yield 1
        await info.context.connection.close(4403, "Forbidden")
        yield 2


schema = strawberry.Schema(
    Query,
    Mutation,
    Subscription,
    extensions=[Mask, Limits, lambda: ParserCache(maxsize=64), lambda: ValidationCache(maxsize=64)],
    config=StrawberryConfig(disable_field_suggestions=True),
)


async def authenticate(authorization: str | None) -> object | None:
    if authorization == "Bearer broken":
        raise RuntimeError("secret")
    if authorization == "Bearer away":
        raise GraphQLError("Try later.", extensions={"code": "UNAVAILABLE"})
    if authorization == "Bearer barred":
        raise GraphQLError("No.", extensions={"code": "FORBIDDEN"})
    return "anna" if authorization == TOKEN else None


def build(log: Log | None = None, **settings: Any) -> Guard:
    log = log or Log()

    def make_context(principal: Any, connection: Any) -> Context:
        log.contexts.append(Context(principal, connection, log))
        return log.contexts[-1]

    async def files(request: Request) -> PlainTextResponse:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
        return PlainTextResponse(str(size))

    guard = {key: settings.pop(key) for key in ("max_bytes", "body_seconds") if key in settings}
    settings.setdefault("connection_init_wait_timeout", timedelta(seconds=5))
    view = View(schema, authenticate=authenticate, make_context=make_context, **settings)
    routes = [
        Route("/graphql", view),
        WebSocketRoute("/graphql", view),
        Route("/files", files, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes), "/graphql", **guard)


def client(app: Any, **headers: str) -> httpx2.AsyncClient:
    """A client that is signed in, unless told otherwise; an exception of the application reaches the test."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://care.test",
        headers={"Authorization": TOKEN, **headers},
        timeout=10,
    )


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The app on a real server and a free port of this machine; gives host and port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        running = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                assert not running.done()
                await asyncio.sleep(0.005)
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running
