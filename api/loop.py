"""The event loop that every Careline process runs on: uvloop where it is to be had, else asyncio's own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

try:
    from uvloop import new_event_loop
except ImportError:  # on Windows, and on PyPy
    from asyncio import new_event_loop

make_loop: Callable[[], asyncio.AbstractEventLoop] = new_event_loop


def run(what: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, as `asyncio.run` would."""
    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(what)
