"""A subscriber over a real socket who comes back with its last cursor, and keeps every place it was shown."""

import asyncio
import base64
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.faults.town import Town

SILENT_SECONDS = 8
"""After so long without a word it pings; a server that does not answer is left."""
TRANSIENT = {"UNAVAILABLE"}


def cursor_of(workspace_id: int, place: int) -> str:
    return base64.urlsafe_b64encode(f"feed:{workspace_id}:{place}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> int:
    return int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(":")[2])


class Follower:
    """Follows one feed from its very first place on."""

    def __init__(self, town: Town, feed: str, pause: float = 0.1) -> None:
        self.feed = feed
        self.closed: list[int] = []
        """By which codes servers have closed its sockets."""
        self._pause = pause
        self.subject = feed.removesuffix("Changed")
        self.places: list[int] = []
        self.comings = 0
        self.wrong: list[str] = []
        self._town = town
        self._cursor = cursor_of(town.workspace_id, 0)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            url = self._town.urls[self.comings % len(self._town.urls)]
            self.comings += 1
            try:
                async with (
                    asyncio.timeout(None) as patience,
                    connect(
                        f"{url.replace('http', 'ws', 1)}/graphql",
                        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
                        open_timeout=5,
                        close_timeout=0.5,
                        ping_interval=SILENT_SECONDS / 2,
                        ping_timeout=SILENT_SECONDS / 2,
                    ) as socket,
                ):
                    try:
                        await self._listen(socket, patience)
                    finally:
                        if socket.protocol.close_rcvd is not None:
                            self.closed.append(socket.protocol.close_rcvd.code)
            except (OSError, TimeoutError, WebSocketException, InvalidHandshake, EOFError):
                pass
            await asyncio.sleep(self._pause)

    async def _listen(self, socket: ClientConnection, patience: asyncio.Timeout) -> None:
        patience.reschedule(asyncio.get_running_loop().time() + SILENT_SECONDS)
        hello = {"type": "connection_init", "payload": {"Authorization": f"Bearer {self._town.key}"}}
        await socket.send(json.dumps(hello))
        await socket.recv()
        query = f'subscription {{ {self.feed}(after: "{self._cursor}") {{ cursor change }} }}'
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        patience.reschedule(None)
        async for text in socket:
            message: dict[str, Any] = json.loads(text)
            if message["type"] == "ping":
                await socket.send('{"type": "pong"}')
            elif message["type"] == "next" and message["payload"].get("data"):
                self._cursor = message["payload"]["data"][self.feed]["cursor"]
                self.places.append(place_of(self._cursor))
            elif message["type"] in ("next", "error"):
                errors = message["payload"]
                errors = errors if isinstance(errors, list) else errors["errors"]
                if not {error["extensions"]["code"] for error in errors} <= TRANSIENT:
                    self.wrong.append(str(errors)[:300])
                return
            elif message["type"] == "complete":
                return
