"""A server for the benchmark of reads: the application as it is, held to graphql-core, or almost nothing.

`BENCH_SIDE` says which. The bare one answers a request with the bytes that the application once gave
to it, but runs the plan's own statements each time, through asyncpg and no more.
"""

import asyncio
import os
from typing import Any

import asyncpg
import uvicorn

from api import app, loop
from api.schema import schema
from bench import shares
from domain import db
from domain.db import projected, sql
from domain.settings import from_environment
from jobs.vitals import Vitals

CONNECTIONS = 8
Statements = list[tuple[str, list[Any]]]


class Bare:
    """Statements and bytes by the body of a request; a new one is asked of the application first."""

    def __init__(self, application: Any, url: str) -> None:
        self._application = application
        self._url = url
        self._known: dict[bytes, tuple[Statements, bytes]] = {}
        self._pool: Any = None
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        message = await receive()
        body: bytes = message["body"]
        while message.get("more_body"):
            message = await receive()
            body += message["body"]
        if body not in self._known:
            async with self._lock:
                self._known[body] = await self._learnt(scope, body)
        statements, answer = self._known[body]
        for text, values in statements:
            async with self._pool.acquire() as connection:
                await connection.fetch(text, *values)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _learnt(self, scope: Any, body: bytes) -> tuple[Statements, bytes]:
        statements: Statements = []
        real = sql.raw_rows

        async def noted(text: str, values: Any) -> Any:
            statements.append((text, list(values)))
            return await real(text, values)

        if self._pool is None:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=CONNECTIONS,
                reset=_keep,
                statement_cache_size=500,
                server_settings={"timezone": "UTC", db.SCOPE: db.EVERYWHERE},
            )
        sent: list[bytes] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        vars(projected)["raw_rows"] = noted
        try:
            await self._application(scope, receive, send)
        finally:
            vars(projected)["raw_rows"] = real
        answer = b"".join(sent)
        assert statements and b'"errors"' not in answer, answer[:500]
        return statements, answer


class _Server(uvicorn.Server):
    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        shares.tell_when_asked()
        print("serving", flush=True)


async def _keep(connection: Any) -> None:
    """Leave the session as it is."""


async def serve() -> None:
    settings = from_environment()
    side = os.environ["BENCH_SIDE"]
    async with db.open_database(settings.database_url, connections=CONNECTIONS):
        application: Any = app.create(settings, Vitals(settings, None))
        if side == "core":

            async def nothing(*_: Any) -> None:
                """Leaves every query to graphql-core."""

            vars(schema.engine)["answer"] = nothing
        if side == "bare":
            application = Bare(application, settings.database_url)
        config = uvicorn.Config(
            application, port=settings.port, log_level="warning", access_log=False, timeout_keep_alive=600
        )
        await _Server(config).serve()


if __name__ == "__main__":
    loop.run(serve())
