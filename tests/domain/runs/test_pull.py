"""Who is served first: by turns between workspaces, the urgent before the old, and nothing that may not start."""

import asyncio
from collections import Counter

from domain import runs
from domain.runs import QUEUES, Run, RunQueue, RunState
from domain.runs.work import unknown
from tests.conftest import House, build_house
from tests.domain.runs.conftest import Declare, again


async def pulled(limit: int, queues: tuple[str, ...] = QUEUES) -> list[Run]:
    return await runs.pull("w", 30, queues, limit)


async def test_workspaces_take_turns_however_much_one_asks_for(house: House, declare: Declare) -> None:
    declare("work")
    small = await build_house("Small")
    for _ in range(30):
        await runs.enqueue(house.admin, "work")
    for _ in range(2):
        await runs.enqueue(small.admin, "work")
    first = Counter(run.workspace_id for run in await pulled(4))
    assert first == {house.id: 2, small.id: 2}
    for _ in range(2):
        await runs.enqueue(small.admin, "work")
    assert Counter(run.workspace_id for run in await pulled(2)) == {house.id: 1, small.id: 1}


async def test_who_has_fewer_running_comes_first(house: House, declare: Declare) -> None:
    declare("work")
    small = await build_house("Small")
    for _ in range(10):
        await runs.enqueue(house.admin, "work")
    assert len(await pulled(5)) == 5
    late = await runs.enqueue(small.admin, "work")
    assert [run.id for run in await pulled(1)] == [late.id]


async def test_within_a_workspace_the_urgent_come_first_then_the_old(house: House, declare: Declare) -> None:
    declare("work")
    declare("urgent", priority=10)
    asked = [await runs.enqueue(house.admin, kind) for kind in ("work", "work", "urgent", "urgent")]
    order = [run.id for run in await pulled(4)]
    assert order == [asked[2].id, asked[3].id, asked[0].id, asked[1].id]


async def test_a_worker_takes_only_from_its_queues(house: House, declare: Declare) -> None:
    declare("work")
    declare("report", queue=RunQueue.REPORTS)
    await runs.enqueue(house.admin, "work")
    report = await runs.enqueue(house.admin, "report")
    assert [run.id for run in await pulled(9, ("reports", "timers"))] == [report.id]


async def test_a_limit_holds_in_each_workspace_also_when_many_pull(house: House, declare: Declare) -> None:
    declare("work", limit=2)
    other = await build_house("Other")
    for each in (house, other):
        for _ in range(6):
            await runs.enqueue(each.admin, "work")
    taken = [run for some in await asyncio.gather(*(pulled(5) for _ in range(6))) for run in some]
    assert Counter(run.workspace_id for run in taken) == {house.id: 2, other.id: 2}
    assert await pulled(5) == []
    await runs.do(taken[0], 30)
    assert [run.workspace_id for run in await pulled(5)] == [taken[0].workspace_id]


async def test_ten_workers_take_each_run_once(house: House, declare: Declare) -> None:
    declare("work")
    asked = [await runs.enqueue(house.admin, "work") for _ in range(40)]
    taken = [run.id for some in await asyncio.gather(*(pulled(5) for _ in range(10))) for run in some]
    while more := await pulled(5):  # who met a locked row went on without it
        taken += [run.id for run in more]
    assert sorted(taken) == [run.id for run in asked]


async def test_a_paused_queue_or_kind_starts_nothing_and_goes_on_when_resumed(
    house: House, declare: Declare
) -> None:
    declare("work")
    declare("other")
    run = await runs.enqueue(house.admin, "work")
    for what in ({"queue": "default"}, {"kind": "work"}):
        assert await runs.pause(house.admin, **what, reason="too much")
        assert not await runs.pause(house.admin, **what), "it is paused already"
        assert await pulled(5) == []
        assert await runs.claim(run.id, "w", 30) is None
        assert [pause.reason for pause in await runs.pauses(house.id)] == ["too much"]
        assert await runs.resume(house.admin, **what)
        assert not await runs.resume(house.admin, **what)
    await runs.pause(house.admin, kind="other")
    assert [found.id for found in await pulled(5)] == [run.id]


async def test_a_pause_holds_in_its_workspace_only(house: House, declare: Declare) -> None:
    declare("work")
    other = await build_house("Other")
    await runs.enqueue(house.admin, "work")
    theirs = await runs.enqueue(other.admin, "work")
    await runs.pause(house.admin, queue="default")
    assert [run.id for run in await pulled(5)] == [theirs.id]


async def test_a_kind_that_this_version_cannot_do_waits_for_one_that_can(
    house: House, declare: Declare
) -> None:
    declare("newer", unknown)
    run = await runs.enqueue(house.admin, "newer")
    await Run.filter(id=run.id).update(kind="newer_still")
    assert await pulled(5) == []
    assert (await again(run)).state is RunState.QUEUED
    await Run.filter(id=run.id).update(kind="newer")
    assert await pulled(5) == []
    declare("newer")
    assert [found.id for found in await pulled(5)] == [run.id]


async def test_depths_tell_each_queue(house: House, declare: Declare) -> None:
    declare("work")
    declare("report", queue=RunQueue.REPORTS)
    for kind in ("work", "work", "report"):
        await runs.enqueue(house.admin, kind)
    await runs.pull("w", 30, ("default",), 1)
    await runs.pause(house.admin, queue="reports")
    told = {depth.queue: depth for depth in await runs.depths(house.id)}
    assert list(told) == list(RunQueue)
    default, reports = told[RunQueue.DEFAULT], told[RunQueue.REPORTS]
    assert (default.waiting, default.running, default.paused) == (1, 1, False)
    assert (reports.waiting, reports.running, reports.paused) == (1, 0, True)
    assert reports.oldest_at is not None
    assert told[RunQueue.TIMERS].oldest_at is None
