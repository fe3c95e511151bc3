"""Many WebSockets at once that cost their own process little: they note when a message came, and no more."""

import asyncio
import base64
import json
import os
import struct
import time

_HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {}\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class Listener(asyncio.Protocol):
    """One subscriber: says its two lines, waits for the pong, then counts what comes."""

    def __init__(self, hello: list[str]) -> None:
        self._hello = hello
        self._buffer = b""
        self._open = False
        self.ready = asyncio.get_running_loop().create_future()
        self.heard: list[float] = []
        self.last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(_HANDSHAKE.format(base64.b64encode(os.urandom(16)).decode()).encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._buffer += data
        if not self._open:
            _, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self._open, self._buffer = True, rest
            for text in self._hello:
                self.transport.write(_frame(text))
        while (length := _whole(self._buffer)) is not None:
            start, end = length
            message, self._buffer = self._buffer[start:end], self._buffer[end:]
            if self.ready.done():
                self.heard.append(now)
                self.last = message
            elif b'"pong"' in message:
                self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was ready"))


def _frame(text: str) -> bytes:
    """A text frame with a mask of noughts."""
    data = text.encode()
    size = struct.pack("!B", 0x80 | len(data)) if len(data) < 126 else struct.pack("!BH", 0xFE, len(data))
    return b"\x81" + size + b"\0\0\0\0" + data


def _whole(buffer: bytes) -> tuple[int, int] | None:
    """Where the first message of a buffer begins and ends, once it is there."""
    if len(buffer) < 4:
        return None
    size, start = buffer[1] & 127, 2
    if size == 126:
        size, start = int.from_bytes(buffer[2:4], "big"), 4
    return (start, start + size) if len(buffer) >= start + size else None


async def listeners(port: int, credentials: list[str], count: int, query: str) -> list[Listener]:
    """So many subscribers, who share the credentials by turns, once all of them are there."""
    loop = asyncio.get_running_loop()
    found: list[Listener] = []
    for number in range(count):
        authorization = f"Bearer {credentials[number % len(credentials)]}"
        hello = [
            {"type": "connection_init", "payload": {"Authorization": authorization}},
            {"id": "1", "type": "subscribe", "payload": {"query": query}},
            {"type": "ping"},
        ]
        lines = [json.dumps(line) for line in hello]
        _, listener = await loop.create_connection(lambda lines=lines: Listener(lines), "127.0.0.1", port)  # type: ignore[misc]
        found.append(listener)
        if number % 50 == 49:
            await asyncio.gather(*(each.ready for each in found))
    await asyncio.gather(*(each.ready for each in found))
    return found
