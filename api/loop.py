"""The event loop that every Careline process runs on: uvloop where it is to be had, else asyncio's own."""

import asyncio
import gc
import importlib.util
from collections.abc import Coroutine
from typing import Any


def new() -> asyncio.AbstractEventLoop:
    if importlib.util.find_spec("uvloop") is None:  # on Windows, and on PyPy
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


def run(what: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, as `asyncio.run` would.

    What is there by now, such as the schema, stays to the end, and a request makes thousands of objects that
    go as it ends: cycles are looked for less often than Python would, and not among the former.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with asyncio.Runner(loop_factory=new) as runner:
        runner.run(what)
