"""A partner's receiver of webhooks: a real HTTP server that keeps what it gets and answers as it is told."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, bytes]
OK: Answer = (200, b"thank you")


@dataclass(frozen=True)
class Message:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`answer` decides by the message; `down` closes the door without an answer."""

    port: int = 0
    down: bool = False
    answer: Callable[[Message], Answer] = lambda _: OK
    retry_after: str = ""
    heard: list[Message] = field(default_factory=list)
    """Every message that was answered or refused, tries that met a closed door excepted."""
    knocks: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if not self.down:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
                headers = {name.lower(): value.strip() for name, _, value in lines}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                message = Message(headers, body)
                self.heard.append(message)
                status, answer = self.answer(message)
                more = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
                length = f"Content-Length: {len(answer)}\r\n"
                writer.write(
                    f"HTTP/1.1 {status} X\r\n{length}Location: /hook\r\n{more}\r\n".encode() + answer
                )
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def receiving(**settings: Any) -> AsyncIterator[Receiver]:
    receiver = Receiver(**settings)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
