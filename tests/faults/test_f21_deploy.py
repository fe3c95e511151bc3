"""F21: a deployment stops everything at once, with fifty runs under way and two hundred streams open."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tests.faults.checker import unseen
from tests.faults.following import Follower
from tests.faults.load import Load
from tests.faults.test_f01_workers import DOUBLED, ended, queued
from tests.faults.town import Place, Town, distributed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
RUNS, STREAMS = 50, 200
STEPS = 6
THREADS = 34  # of a worker; a quarter of them is kept for timers
STOP_SECONDS = 10


@dataclass
class Audience:
    followers: list[Follower] = field(default_factory=list)


@pytest.fixture
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with distributed(tmp_path_factory.mktemp("crowd"), threads=THREADS) as town:
        yield town


async def test_f21_everything_stops_in_time_and_goes_on_where_it_was(crowd: Town) -> None:
    audience = Audience([Follower(crowd, "runChanged", pause=1.0) for _ in range(STREAMS)])
    following = [asyncio.create_task(each.follow()) for each in audience.followers]
    await asyncio.to_thread(queued, crowd, '{"steps": 1, "pause": 0}')
    async with asyncio.timeout(60):
        while not all(each.places for each in audience.followers):
            await asyncio.sleep(0.1)
    ids = await asyncio.to_thread(queued, crowd, *[f'{{"steps": {STEPS}, "pause": 3}}'] * RUNS)
    running = "SELECT count(*) FROM runs WHERE state = 'RUNNING' AND progress_done > 0"
    await asyncio.to_thread(crowd.until, running, lambda rows: rows == [(RUNS,)])

    for each in audience.followers:
        each.closed.clear()
    took = await asyncio.to_thread(stopped, crowd.places)
    assert max(took) <= STOP_SECONDS + 1, took  # and what the machine makes of it
    assert [place.now.ended for place in crowd.places] == [0] * 4
    left = f"SELECT DISTINCT state, attempt FROM runs WHERE id >= {ids[0]}"
    assert crowd.look(left) == [("QUEUED", 0)]
    assert Counter(code for each in audience.followers for code in each.closed) == {1012: STREAMS}

    await asyncio.to_thread(crowd.revive)
    assert set(await asyncio.to_thread(ended, crowd, ids, 120)) == {("SUCCEEDED", 1, None)}
    assert crowd.look(DOUBLED) == []
    assert crowd.look("SELECT count(*) FROM probe_effects") == [(RUNS * STEPS + 1,)]
    ((lines, _),) = await asyncio.to_thread(
        crowd.until,
        "SELECT count(*), count(position) FROM journal WHERE subject = 'run'",
        lambda rows: rows[0][0] == rows[0][1],
    )
    async with asyncio.timeout(120):
        while not all(len(each.places) >= lines for each in audience.followers):
            await asyncio.sleep(0.1)
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    assert unseen(crowd, cast(Load, cast(Any, audience))) == []


def stopped(places: list[Place]) -> list[float]:
    """Ask all of them to stop; how long each took."""
    began = time.monotonic()
    for place in places:
        os.kill(place.now.pid, signal.SIGTERM)
    took: dict[int, float] = {}
    while len(took) < len(places) and time.monotonic() - began < 30:
        for place in places:
            if place.now.ended is not None:
                took.setdefault(place.now.pid, time.monotonic() - began)
        time.sleep(0.02)
    assert len(took) == len(places), "one never stops"
    print("stopped within", [round(seconds, 1) for seconds in took.values()])
    return list(took.values())
