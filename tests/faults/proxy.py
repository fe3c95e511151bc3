"""A TCP proxy that can refuse, hold, delay, cut, and lose replies; it runs on a thread of its own."""

import asyncio
import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from tests.servers.process import free_port

PIECE = 65_536
Writer = asyncio.StreamWriter


class Proxy:
    """Passes bytes between its own port and another; each fault is an attribute, live at once.

    A wire that is `held` keeps its bytes, as TCP would, and delivers them when it is whole again.
    """

    def __init__(self, upstream: int, port: int | None = None) -> None:
        self.upstream = upstream
        self.port = port or free_port()
        self.delay = 0.0
        """Seconds, each way."""
        self.refusing = False
        self.held = False
        self.losing_replies = False
        self.reset = self.delayed = self.held_bytes = self.lost_bytes = self.refused = 0
        """What the faults have done so far: connections, pieces, bytes."""
        self._wires: set[tuple[Writer, Writer]] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._connected, "127.0.0.1", self.port)
        )
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        if self.refusing:
            self.refused += 1
            _break(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            _break(writer)
            return
        wire = (writer, back)
        self._wires.add(wire)
        pumps = [
            asyncio.ensure_future(self._pump(reader, back, replies=False)),
            asyncio.ensure_future(self._pump(there, writer, replies=True)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._wires.discard(wire)
            for end in wire:
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: Writer, *, replies: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(PIECE):
                if self.delay:
                    self.delayed += 1
                    await asyncio.sleep(self.delay)
                if self.held:
                    self.held_bytes += len(piece)
                    while self.held:
                        await asyncio.sleep(0.01)
                if replies and self.losing_replies:
                    self.lost_bytes += len(piece)
                    continue
                writer.write(piece)
                await writer.drain()

    def cut(self) -> int:
        """Reset every open connection; how many."""

        async def resets() -> int:
            wires = list(self._wires)
            for wire in wires:
                for end in wire:
                    _break(end)
            self.reset += len(wires)
            return len(wires)

        return asyncio.run_coroutine_threadsafe(resets(), self._loop).result(10)

    def heal(self) -> None:
        """End every fault. Where replies were lost, the connections are cut: their ends disagree by now."""
        if self.losing_replies:
            self.cut()
        self.refusing = self.held = self.losing_replies = False
        self.delay = 0.0

    def refuse(self) -> None:
        """Be as a port where nobody listens, from now on."""
        self.refusing = True
        self.cut()

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _break(writer: Writer) -> None:
    """End a connection by a reset, as a host does that knows nothing of it."""
    end = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
