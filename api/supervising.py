"""Keeps a number of worker processes alive, ends them with itself, and starts anew what died."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import structlog

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
LONG_LIFE_SECONDS = 60.0
STOP_SECONDS = 10.0
log = structlog.get_logger(__name__)
Process = asyncio.subprocess.Process


class Backoff:
    """How long to wait before the next start: ever longer, and short again after a long life."""

    def __init__(self) -> None:
        self._next = FIRST_WAIT

    def after(self, lived: float) -> float:
        """Seconds to wait after a life of so many."""
        if lived >= LONG_LIFE_SECONDS:
            self._next = FIRST_WAIT
        wait, self._next = self._next, min(2 * self._next, LONGEST_WAIT)
        return wait


async def supervise(
    command: Sequence[str], count: int, stop: asyncio.Event, backoff: Callable[[], Backoff] = Backoff
) -> bool:
    """Run so many processes of a command until `stop` is set; whether all of them then ended by themselves.

    Each has the reading end of a pipe as its standard input; only this process has the other end, so a
    child that reads its end (see `end_with_parent`) knows that nobody looks after it any more.
    """
    with _lifeline() as lifeline:
        async with asyncio.TaskGroup() as group:
            kept = [
                group.create_task(_keep(command, lifeline, stop, backoff()), name=f"worker {number}")
                for number in range(count)
            ]
    return all(task.result() for task in kept)


@contextlib.contextmanager
def _lifeline() -> Iterator[int]:
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


async def _keep(command: Sequence[str], lifeline: int, stop: asyncio.Event, backoff: Backoff) -> bool:
    while not stop.is_set():
        began = time.monotonic()
        try:
            # In a session of its own: the keyboard's Ctrl-C reaches this process alone, which passes it on.
            child = await asyncio.create_subprocess_exec(*command, stdin=lifeline, start_new_session=True)
        except OSError as error:
            log.error("worker_not_started", error=error.strerror)
        else:
            log.info("worker_started", worker=child.pid)
            try:
                if await _told(stop, child):
                    return await _ended(child)
            finally:
                if child.returncode is None:
                    child.kill()
            log.error("worker_died", worker=child.pid, code=child.returncode)
        wait = backoff.after(time.monotonic() - began)
        log.info("worker_restarts", seconds=wait)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait)
    return True


async def _told(stop: asyncio.Event, child: Process) -> bool:
    """Wait for a child's end or for being told to stop; whether it was the latter."""
    waiting = {asyncio.create_task(child.wait()), asyncio.create_task(stop.wait())}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return stop.is_set()


async def _ended(child: Process) -> bool:
    """End a child in good order, or by force after a while; whether it was in good order."""
    with contextlib.suppress(ProcessLookupError):
        # Also for SIGINT: a child that has not come so far as to hear either would show a traceback of it.
        child.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), STOP_SECONDS)
    except TimeoutError:
        log.error("worker_killed", worker=child.pid, after=STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        return False
    return True


def end_with_parent(lifeline: int = 0) -> None:
    """In a child: stop in good order when the other end of the pipe is closed, however its holder ended.

    What has not stopped by itself after a while is ended.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(lifeline, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
