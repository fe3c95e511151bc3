"""The latest lines of a workspace's feed, read once for all who follow it in this process."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import Any

import structlog

from domain import db, feeds, nudges
from domain.journal import JournalLine

LOOK_SECONDS = 1.0
GATHER_SECONDS = 0.005
"""How long more is waited for: one look serves all of it."""
KEPT = 1_000
log = structlog.get_logger(__name__)

Noted = Callable[[int, list[JournalLine]], None]


class Tail:
    """One workspace's latest lines. Places have no gaps, so a line is found by counting."""

    def __init__(self, workspace_id: int, end: int, noted: Noted) -> None:
        self.workspace_id = workspace_id
        self.followers = 0
        self._begin = self._end = end
        self._lines: deque[JournalLine] = deque()
        self._noted = noted
        self._unnumbered = False
        self._memo_place = -1
        self._memo: dict[Any, Any] = {}
        self._news = asyncio.Event()
        self._stir = asyncio.Event()
        self._reading = asyncio.create_task(self._read(), name=f"tail {workspace_id}")

    def memo(self, place: int) -> dict[Any, Any]:
        """What was read of the line at a place, for as long as it is the newest that anybody looks at."""
        if place > self._memo_place:
            self._memo_place, self._memo = place, {}
        return self._memo if place == self._memo_place else {}

    async def after(self, place: int) -> list[JournalLine]:
        """The lines behind a place; none where there are none yet."""
        if place >= self._begin:
            return list(islice(self._lines, place - self._begin, place - self._begin + feeds.BATCH))
        return await feeds.lines_after(self.workspace_id, place)

    async def news(self, place: int, seconds: float | None = None) -> None:
        """Return when there is a line behind a place, or after so many seconds."""
        if self._end > place:
            return
        # Not wait_for: before Python 3.12 it loses a cancellation that meets a nudge.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _read(self) -> None:
        db.enter(self.workspace_id)
        with nudges.NEWS.listening(self._stir.set), nudges.WORK.listening(self._written):
            while True:
                self._stir.clear()
                db.answer_within()
                try:
                    if self._unnumbered:
                        self._unnumbered = False
                        await feeds.number(self.workspace_id)
                    lines = await feeds.lines_after(self.workspace_id, self._end)
                except Exception as error:  # the database is away: who follows waits for it too
                    log.warning("feed_unreadable", error=type(error).__name__)
                    lines = []
                if lines:
                    self._take(lines)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._stir.wait()
                        await asyncio.sleep(GATHER_SECONDS)

    def _written(self) -> None:
        """Something was committed somewhere: who listens here need not wait until a worker numbers it."""
        self._unnumbered = True
        self._stir.set()

    def _take(self, lines: list[JournalLine]) -> None:
        assert lines[-1].position is not None
        self._noted(self.workspace_id, lines)  # first, so that nothing is pushed to whom it is no longer for
        self._lines.extend(lines)
        self._end = lines[-1].position
        while len(self._lines) > KEPT:
            self._lines.popleft()
            self._begin += 1
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def close(self) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading


class Tails:
    """The tails of one process, each kept while somebody follows it."""

    def __init__(self, noted: Noted) -> None:
        self._noted = noted
        self._tails: dict[int, Tail] = {}

    @contextlib.asynccontextmanager
    async def following(self, workspace_id: int) -> AsyncIterator[Tail]:
        """A workspace's tail, for the time of the block."""
        tail = self._tails.get(workspace_id)
        if tail is None:
            head = await feeds.head(workspace_id)
            tail = self._tails.get(workspace_id)  # another may have begun it meanwhile
            if tail is None:
                tail = self._tails[workspace_id] = Tail(workspace_id, head, self._noted)
        tail.followers += 1
        try:
            yield tail
        finally:
            tail.followers -= 1
            if not tail.followers:
                self._tails.pop(workspace_id, None)
                await tail.close()
