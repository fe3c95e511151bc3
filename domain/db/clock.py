"""The time that a database goes by: PostgreSQL's own, whatever the clocks of its clients' machines say.

A process reads it now and then and counts on from there, so that a clock that is wrong, or set anew,
fires no timer early and keeps no key valid. SQLite has no clock: there it is this machine's.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from tortoise.connection import get_connections

from domain.db.connection import is_postgres

READ_SECONDS = 5.0
ACCURATE_SECONDS = 1.0
"""A reading that took longer says too little."""
NOTED_SECONDS = 1.0
log = structlog.get_logger(__name__)
_anchor: tuple[datetime, float] | None = None
"""An instant of the database's clock, and what `_ticks` said then."""
_differs = False


def machine_now() -> datetime:
    """Machine time, in UTC."""
    if _anchor is None:
        return _wall()
    instant, ticks = _anchor
    return instant + timedelta(seconds=_ticks() - ticks)


def _wall() -> datetime:
    return datetime.now(UTC)


def _ticks() -> float:
    """Seconds since whenever, also those that the machine slept; nobody sets this."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


async def read() -> None:
    """Read the database's clock; nothing where it has none, or where the answer took too long."""
    if not is_postgres():
        return
    before = _ticks()
    client: Any = get_connections().get("postgres")
    (row,) = await client.execute_query_dict("SELECT clock_timestamp() AS at")
    _set(row["at"], before, _ticks())


def _set(told: datetime, before: float, after: float) -> None:
    global _anchor
    error = (after - before) / 2
    if error > ACCURATE_SECONDS:
        return
    middle = before + error
    # A reading that agrees with what was counted, as well as it can say, teaches nothing.
    if _anchor is None or abs((told - _anchor[0]).total_seconds() - (middle - _anchor[1])) > error:
        _anchor = (told, middle)
    _note((_wall() - told).total_seconds() - error)


def _note(ahead: float) -> None:
    """Say once when this machine's clock is wrong, and when it is right again."""
    global _differs
    if (abs(ahead) > NOTED_SECONDS) != _differs:
        _differs = not _differs
        log.warning("clock_differs" if _differs else "clock_agrees", seconds=round(ahead, 1))


@contextlib.asynccontextmanager
async def keeping_time() -> AsyncIterator[None]:
    """Go by the database's clock for the time of the block."""
    global _anchor, _differs
    if not is_postgres():
        yield
        return
    await read()
    reading = asyncio.create_task(_reading(), name="time")
    try:
        yield
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        _anchor, _differs = None, False


async def _reading() -> None:
    while True:
        await asyncio.sleep(READ_SECONDS)
        with contextlib.suppress(Exception):  # it counts on; that the database is away others say
            await read()
