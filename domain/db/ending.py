"""Brings the end of a transaction to its end, though its task is cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def finished(ending: Coroutine[Any, Any, Any]) -> None:
    """Wait until `ending` is done, however often this task is cancelled; then pass the cancel on.

    A cancel scope of anyio, which is what ends a request, cancels again at every await.
    """
    doing = asyncio.ensure_future(ending)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from doing.exception()
    doing.result()
