"""A pooler in front of PostgreSQL that gives a session away at each transaction's end, as PgBouncer can."""

import asyncio
import contextlib
import struct
import threading
from typing import Any

SSL, CANCEL = 80_877_103, 80_877_102
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Pooler:
    """For roles that need no password, on a port of its own, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._free: list[Streams] = []
        self._greeting = b""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Pooler":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            start = await _unnamed(reader)
            while struct.unpack("!I", start[4:8])[0] == SSL:
                writer.write(b"N")
                start = await _unnamed(reader)
            if struct.unpack("!I", start[4:8])[0] == CANCEL:
                return
            self._free.append(await self._taken(start))
            writer.write(self._greeting)
            await _Client(self, start, writer).speak(reader)

    async def _taken(self, start: bytes) -> Streams:
        if self._free:
            return self._free.pop()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target)
        writer.write(start)
        message = greeting = await _message(reader)
        while message[:1] != b"Z":
            message = await _message(reader)
            greeting += message
        self._greeting = greeting
        return reader, writer


class _Client:
    """Has a session from its first word to the end of the transaction."""

    def __init__(self, pooler: Pooler, start: bytes, writer: asyncio.StreamWriter) -> None:
        self._pooler, self._start, self._writer = pooler, start, writer
        self._held: Streams | None = None
        self._hearing: asyncio.Task[None] | None = None

    async def speak(self, reader: asyncio.StreamReader) -> None:
        while (message := await _message(reader))[:1] != b"X":
            if self._held is None:
                self._held = await self._pooler._taken(self._start)
                self._hearing = asyncio.create_task(self._hear(self._held))
            self._held[1].write(message)

    async def _hear(self, session: Streams) -> None:
        while True:
            answer = await _message(session[0])
            ended = answer[:1] == b"Z" and answer[5:6] == b"I"
            if ended:
                self._held = None
                self._pooler._free.append(session)  # the last one is the next, as PgBouncer has it
            self._writer.write(answer)
            if ended:
                return


async def _unnamed(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(4)
    return size + await reader.readexactly(struct.unpack("!I", size)[0] - 4)


async def _message(reader: asyncio.StreamReader) -> Any:
    return await reader.readexactly(1) + await _unnamed(reader)
