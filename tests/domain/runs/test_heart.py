"""Leases are kept while the loop is blocked, and let go when they must be."""

import asyncio
import time

import pytest

from domain import runs
from domain.runs import Run, RunState, Work, heart
from tests.conftest import House
from tests.domain.runs.conftest import Declare, again

LEASE_SECONDS = 1.0


async def performing(house: House, kind: str) -> tuple[Run, asyncio.Task[None]]:
    claimed = await runs.claim((await runs.enqueue(house.admin, kind)).id, "w", LEASE_SECONDS)
    assert claimed is not None
    return claimed, asyncio.create_task(runs.do(claimed, LEASE_SECONDS))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_blocked_loop_keeps_its_leases(house: House, declare: Declare, database_url: str) -> None:
    async def block(_: Work) -> None:
        time.sleep(LEASE_SECONDS * 2.5)

    declare("work", block)
    async with runs.beating(database_url, LEASE_SECONDS):
        run, doing = await performing(house, "work")
        await asyncio.sleep(0)
        assert await runs.rescue() == 0, "just after it was blocked"
        await doing
    after = await again(run)
    assert (after.state, after.fence) == (RunState.SUCCEEDED, 1)


async def test_a_slow_run_keeps_its_lease(house: House, declare: Declare, database_url: str) -> None:
    go_on = asyncio.Event()

    async def wait(_: Work) -> None:
        await go_on.wait()

    declare("work", wait)
    async with runs.beating(database_url, LEASE_SECONDS):
        run, doing = await performing(house, "work")
        first = (await again(run)).lease_until
        async with asyncio.timeout(20):
            while (await again(run)).lease_until == first:
                await asyncio.sleep(0.02)
        assert await runs.rescue() == 0
        go_on.set()
        await doing
    assert (await again(run)).state is RunState.SUCCEEDED


async def test_an_attempt_that_has_lost_its_run_is_ended(
    house: House, declare: Declare, database_url: str
) -> None:
    async def hang(_: Work) -> None:
        await asyncio.Event().wait()

    declare("work", hang)
    async with runs.beating(database_url, LEASE_SECONDS):
        run, doing = await performing(house, "work")
        await asyncio.sleep(0)
        await runs.rescue(everything=True)
        async with asyncio.timeout(20):
            await doing
    after = await again(run)
    assert (after.state, after.fence) == (RunState.QUEUED, 2), "as the rescue left it"


async def test_a_run_long_past_its_limit_is_let_go(
    house: House, declare: Declare, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that swallows its cancellation would otherwise be renewed for ever."""
    monkeypatch.setattr(heart, "GRACE_SECONDS", 0.1)
    over = asyncio.Event()

    async def deaf(_: Work) -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    declare("work", deaf, deadline_seconds=0.1)
    async with runs.beating(database_url, LEASE_SECONDS):
        run, doing = await performing(house, "work")
        async with asyncio.timeout(20):
            while not await runs.rescue():
                await asyncio.sleep(0.05)
        assert (await again(run)).state is RunState.QUEUED
        over.set()
        await doing
    assert (await again(run)).state is RunState.QUEUED, "the deaf one could not say that it had ended"
