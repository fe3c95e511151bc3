"""An event has no more time than an operation has: one that takes longer ends its stream."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import live
from api.context import Context
from api.engine import Executor
from api.limits import Terms
from api.loaders import Loaders
from domain import customers, feeds, tasks
from domain.db import enter
from tests.api.test_live import Hall, Listening
from tests.conftest import House

LATE = {"code": "LIMITED", "limit": "seconds", "maximum": 0.3, "measured": 0.3}


class Slow:
    """Reads customers, each time it is asked, when its gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.asked = 0
        self._read = customers.by_ids

    async def by_ids(self, workspace_id: int, keys: list[int]) -> Any:
        self.asked += 1
        await self.gate.wait()
        return await self._read(workspace_id, keys)


class Hurried(Hall):
    """A hall whose open streams can be given little time, once nothing is to be in time any more."""

    def __init__(self, house: House) -> None:
        super().__init__(house)
        self.contexts: list[Context] = []
        self.hub.make_context = self._timed

    def _timed(self, caller: Any, _: Any) -> Context:
        enter(caller.principal.workspace_id)
        self.contexts.append(Context(caller.principal, caller.authorization))
        return self.contexts[-1]

    def hurry(self) -> None:
        for each in self.contexts:
            each.terms = Terms(operation_seconds=0.3)


@pytest.fixture
async def hall(house: House) -> AsyncIterator["Hurried"]:
    opened = Hurried(house)
    await opened.numbered()
    yield opened
    for listening in opened.open:
        await listening.pushes.aclose()


@pytest.fixture(params=["closures", "graphql-core"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """By what events are answered."""

    def never(_: Executor) -> Any:
        raise RuntimeError("a selection nobody can compile")

    if request.param != "closures":
        monkeypatch.setattr(Executor, "_compiled", never)
    return str(request.param)


async def is_late(listening: Listening, told: Any) -> bool:
    """Whether it was told that its event took too long, and nothing else any more."""
    with pytest.raises(StopAsyncIteration):
        await anext(listening.pushes)
    return "data" not in told and [each["extensions"] for each in told["errors"]] == [LATE]


@pytest.mark.usefixtures("way")
async def test_a_replayed_event_that_takes_too_long_ends_its_stream(
    hall: Hurried, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = live.cursor_at(hall.house.id, await feeds.head(hall.house.id))
    await hall.happens("0", "1")
    caller, slow = await hall.caller(), Slow()
    listening = await hall.listen(caller, after=start)
    first = await listening.hear()
    with monkeypatch.context() as slowed:
        slowed.setattr(customers, "by_ids", slow.by_ids)
        hall.hurry()
        assert await is_late(listening, await listening.hear())
        slow.gate.set()
    again = await hall.listen(caller, after=first["data"]["taskChanged"]["cursor"])
    assert await again.title() == "1"


@pytest.mark.usefixtures("way")
async def test_an_event_that_takes_too_long_ends_the_streams_of_all_it_is_made_for_and_is_tried_once(
    hall: Hurried, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, slow = await hall.caller(), Slow()
    listening = [await hall.listen(caller) for _ in range(3)]
    waits = [await hall.waits(each) for each in listening]
    await hall.happens("0")
    (first, *_) = [await each for each in waits]
    waits = [asyncio.create_task(each.hear()) for each in listening]
    with monkeypatch.context() as slowed:
        slowed.setattr(customers, "by_ids", slow.by_ids)
        hall.hurry()
        await hall.happens("1")
        assert [await is_late(each, await told) for each, told in zip(listening, waits, strict=True)] == [
            True
        ] * 3
        assert slow.asked == 1
        slow.gate.set()
    assert (hall.members(), len(hall.hub.groups)) == (0, 0)
    again = await hall.listen(caller, after=first["data"]["taskChanged"]["cursor"])
    assert await again.title() == "1"


async def test_whether_an_event_is_for_its_reader_has_its_time_too(
    hall: Hurried, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, matching = asyncio.Event(), tasks.matching

    async def slow(*asked: Any) -> Any:
        await gate.wait()
        return await matching(*asked)

    start = live.cursor_at(hall.house.id, await feeds.head(hall.house.id))
    await hall.happens("0", "1")
    listening = await hall.listen(await hall.caller(), after=start)
    assert await listening.title() == "0"
    monkeypatch.setattr(tasks, "matching", slow)
    hall.hurry()
    assert await is_late(listening, await listening.hear())
    gate.set()


async def test_one_that_is_out_of_time_does_not_take_what_others_wait_for() -> None:
    gate, shared = asyncio.Event(), dict[Any, Any]()
    early, later = Loaders(1), Loaders(1)

    async def fetch(_: int, keys: list[int]) -> dict[int, str]:
        await gate.wait()
        return dict.fromkeys(keys, "row")

    for loaders in (early, later):
        loaders.forget(shared)
    waiting = asyncio.create_task(later.load(fetch, 7))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await early.load(fetch, 7)
    gate.set()
    assert await waiting == "row"
