"""How a stream reads its feed: by itself, or for many at once from a tail that this process shares."""

import asyncio
import contextlib
from dataclasses import dataclass, field

from api.live.tails import Tail
from domain import feeds, nudges
from domain.journal import JournalLine


@dataclass
class Reader:
    """Where one stream of events stands in its feed. Whoever runs the stream looks at it."""

    tail: Tail
    position: int | None = None
    """The line that is looked at; not known before the stream has begun where its cursor says."""
    done: int = -1
    """The line up to which everything was handed on."""
    replaying: bool = False
    """Whether the stream ends where there is nothing more to replay."""
    quiet: bool = False
    """Whether its event says that nothing happened."""

    async def after(self, place: int) -> list[JournalLine]:
        return await self.tail.after(place)

    async def news(self, place: int, seconds: float | None) -> None:
        await self.tail.news(place, seconds)


@dataclass
class Alone:
    """A reader that nobody shares, which looks into the journal itself."""

    workspace_id: int
    look_seconds: float
    position: int | None = None
    done: int = -1
    quiet: bool = False
    replaying: bool = False
    _stir: asyncio.Event = field(default_factory=asyncio.Event)

    async def after(self, place: int) -> list[JournalLine]:
        self._stir.clear()
        return await feeds.lines_after(self.workspace_id, place)

    async def news(self, place: int, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(self.look_seconds, seconds or self.look_seconds)):
                await self._stir.wait()

    def listening(self) -> contextlib.AbstractContextManager[None]:
        return nudges.NEWS.listening(self._stir.set)
