"""Keeps an embedded database from being changed for a while, though it is read: another migrates it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tortoise.connection import get_connections

from domain.db.failures import Failure, Unavailable

_closed = False
_reopened = asyncio.Event()


def is_read_only() -> bool:
    return _closed


def check_writable() -> None:
    """Raises `Unavailable` while nothing may be changed."""
    if _closed:
        raise Unavailable(Failure.MIGRATING)


async def until_writable() -> None:
    """Wait while nothing may be changed."""
    while _closed:
        await _reopened.wait()


@asynccontextmanager
async def read_only() -> AsyncIterator[None]:
    """Refuse every change for the time of the block, which begins when those under way have ended."""
    global _closed, _reopened
    _closed, _reopened = True, asyncio.Event()
    try:
        client: Any = get_connections().get("sqlite")
        async with client._lock:
            pass
        yield
    finally:
        _closed = False
        _reopened.set()
