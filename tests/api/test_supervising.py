"""Workers are looked after: started again when they die, ended in good order, and never left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api import supervising
from api.supervising import LONG_LIFE_SECONDS, Backoff, supervise
from tests.servers.process import alive
from tests.stories.processes import ROOT

WAIT_SECONDS = 20
ORDERLY = """
import signal, sys, time, os
from pathlib import Path
folder = Path(sys.argv[1])
def end(*_):
    (folder / f"{os.getpid()}.ended").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / f"{os.getpid()}.began").touch()
while True:
    time.sleep(60)
"""
DEAF = ORDERLY.replace("signal.SIGTERM, end", "signal.SIGTERM, signal.SIG_IGN")
SHORT_LIVED = ORDERLY.replace("while True:\n    time.sleep(60)", "sys.exit(3)")
PARENT = """
import asyncio, sys
from api.supervising import supervise
asyncio.run(supervise([sys.executable, "-c", sys.argv[1], sys.argv[2]], 2, asyncio.Event()))
"""
LOOKED_AFTER = "from api.supervising import end_with_parent\nend_with_parent()\n" + ORDERLY


def pids(folder: Path, what: str) -> set[int]:
    return {int(path.stem) for path in folder.glob(f"*.{what}")}


async def begun(folder: Path, count: int) -> set[int]:
    """Wait until so many children have begun; their process ids."""
    async with asyncio.timeout(WAIT_SECONDS):
        while len(found := pids(folder, "began")) < count:
            await asyncio.sleep(0.02)
    return found


class AtOnce(Backoff):
    """Notes how long each child lived, and has the next one started at once."""

    def __init__(self) -> None:
        self.lives: list[float] = []

    def after(self, lived: float) -> float:
        self.lives.append(lived)
        return 0.01


@asynccontextmanager
async def supervised(
    script: str, folder: Path, count: int = 2, backoff: Backoff | None = None
) -> AsyncIterator[tuple[asyncio.Event, "asyncio.Task[bool]"]]:
    stop = asyncio.Event()
    command = [sys.executable, "-S", "-c", script, str(folder)]
    doing = asyncio.create_task(supervise(command, count, stop, lambda: backoff or Backoff()))
    try:
        yield stop, doing
    finally:
        stop.set()
        await asyncio.wait([doing], timeout=WAIT_SECONDS)


async def test_children_end_in_good_order_when_told_to_stop(tmp_path: Path) -> None:
    async with supervised(ORDERLY, tmp_path) as (stop, doing):
        children = await begun(tmp_path, 2)
        stop.set()
        assert await asyncio.wait_for(doing, WAIT_SECONDS) is True
    assert pids(tmp_path, "ended") == children
    assert not any(alive(pid) for pid in children)


async def test_a_child_that_does_not_listen_is_killed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "STOP_SECONDS", 0.2)
    async with supervised(DEAF, tmp_path) as (stop, doing):
        children = await begun(tmp_path, 2)
        stop.set()
        assert await asyncio.wait_for(doing, WAIT_SECONDS) is False
    assert not any(alive(pid) for pid in children)


async def test_a_child_that_dies_is_started_again_and_the_other_is_left_alone(tmp_path: Path) -> None:
    async with supervised(ORDERLY, tmp_path, backoff=AtOnce()) as (stop, doing):
        killed, other = sorted(await begun(tmp_path, 2))
        os.kill(killed, signal.SIGKILL)
        after = await begun(tmp_path, 3)
        assert alive(other)
        stop.set()
        assert await asyncio.wait_for(doing, WAIT_SECONDS) is True
    assert pids(tmp_path, "ended") == after - {killed}


async def test_a_child_that_dies_at_once_is_started_again_and_again(tmp_path: Path) -> None:
    backoff = AtOnce()
    async with supervised(SHORT_LIVED, tmp_path, 1, backoff) as (_, doing):
        await begun(tmp_path, 3)
        assert not doing.done()
    assert len(backoff.lives) >= 2


async def test_a_stop_does_not_wait_for_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "FIRST_WAIT", 1000.0)
    async with supervised(SHORT_LIVED, tmp_path, 1) as (stop, doing):
        (child,) = await begun(tmp_path, 1)
        async with asyncio.timeout(WAIT_SECONDS):
            while alive(child):
                await asyncio.sleep(0.02)
        stop.set()
        assert await asyncio.wait_for(doing, WAIT_SECONDS) is True
    assert pids(tmp_path, "began") == {child}


async def test_a_command_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    backoff, stop = AtOnce(), asyncio.Event()
    doing = asyncio.create_task(supervise([str(tmp_path / "none")], 1, stop, lambda: backoff))
    async with asyncio.timeout(WAIT_SECONDS):
        while len(backoff.lives) < 3:
            await asyncio.sleep(0.02)
    stop.set()
    assert await asyncio.wait_for(doing, WAIT_SECONDS) is True


async def test_children_end_in_good_order_when_their_parent_is_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, LOOKED_AFTER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        children = await begun(tmp_path, 2)
        assert all(alive(pid) for pid in children)
    finally:
        parent.kill()
        await asyncio.to_thread(parent.wait)
    async with asyncio.timeout(WAIT_SECONDS):
        while any(alive(pid) for pid in children):
            await asyncio.sleep(0.02)
    assert pids(tmp_path, "ended") == children


def test_waits_double_up_to_half_a_minute_and_are_short_again_after_a_long_life() -> None:
    backoff = Backoff()
    assert [backoff.after(0.1) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.after(LONG_LIFE_SECONDS - 1) == 30
    assert [backoff.after(LONG_LIFE_SECONDS), backoff.after(0.1)] == [1, 2]
