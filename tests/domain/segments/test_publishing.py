"""A recompute is published whole or not at all, by one attempt, in one workspace."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from domain import runs, segments
from domain.access import Role
from domain.customers.models import Customer
from domain.errors import Forbidden
from domain.journal import JournalLine
from domain.runs import Run, RunState, Work
from domain.segments import RfmTier, Segmentation
from tests.conftest import NOON, House, build_house
from tests.domain.segments.population import (
    Bought,
    Person,
    buy,
    placements,
    recompute,
    settle,
    shopper,
    table,
)

inside = importlib.import_module("domain.segments.recompute")
PUBLISHED = ("placements", "memberships", "segments", "segmentations")


async def _populate(house: House) -> dict[str, int]:
    return await settle(
        house.id, [shopper(f"P{n}", NOON, n + 1, 1 + n, 100_000 * (n + 1)) for n in range(10)]
    )


async def _published() -> list[object]:
    return [await table(name) for name in PUBLISHED]


@asynccontextmanager
async def _held_before_publishing(
    monkeypatch: pytest.MonkeyPatch, run: Run
) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """The run's first attempt has staged and stands still; the block is given the way to let it go on."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    publish = inside._publish

    async def held(work: Work) -> Segmentation:
        if not go_on.is_set():
            reached.set()
            await go_on.wait()
        return await publish(work)

    first = asyncio.create_task(runs.perform(run.id, "first", 30))

    async def release() -> bool:
        go_on.set()
        return await first

    with monkeypatch.context() as patch:
        patch.setattr(inside, "_publish", held)
        await asyncio.wait_for(reached.wait(), 10)
        patch.setattr(inside, "_publish", publish)
        yield release


async def test_readers_see_the_old_placement_until_the_new_one_is_complete(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _populate(house)
    await recompute(house.admin)
    before = await _published()
    await house.turn(NOON + timedelta(days=400))
    run = await segments.recompute(house.admin)
    async with _held_before_publishing(monkeypatch, run) as release:
        staged = await Run.get(id=run.id)
        assert (staged.progress_done, staged.progress_total, staged.progress_unit) == (0, 10, "customers")
        assert len(await table("placement_drafts")) == 10
        assert await _published() == before
        assert await release()
    ended = await Run.get(id=run.id)
    assert (ended.state, ended.progress_done, ended.result) == (
        RunState.SUCCEEDED,
        10,
        {"customers": 10, "changed": 10},
    )
    assert {placement.lifecycle.value for placement in (await placements(house.id)).values()} == {"CHURNED"}


async def test_a_cancelled_run_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await _populate(house)
    await recompute(house.admin)
    before = await _published()
    await Customer.filter(id=ids["P1"]).update(cancelled_at=NOON)
    run = await segments.recompute(house.admin)
    async with _held_before_publishing(monkeypatch, run) as release:
        await runs.cancel(house.admin, run.id)
        assert await release()
    assert (await Run.get(id=run.id)).state is RunState.CANCELLED
    assert await _published() == before
    assert not await JournalLine.filter(name="segmentation.published", subject_id=run.id).exists()
    again = await recompute(house.admin)
    assert again.result == {"customers": 10, "changed": 1}
    assert await table("placement_drafts") == []


async def test_a_run_that_fails_in_the_middle_of_publishing_changes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _populate(house)
    before = await _published()

    async def broken(_: int) -> None:
        raise RuntimeError("the machine room is on fire")

    run = await segments.recompute(house.admin)
    with monkeypatch.context() as patch:
        patch.setattr(inside.statements, "counts", broken)
        assert await runs.perform(run.id, "first", 30)
    assert (await Run.get(id=run.id)).state is RunState.RETRYING
    assert await _published() == before


async def test_a_run_killed_between_its_steps_goes_on_as_of_the_same_instant_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await _populate(house)
    run = await segments.recompute(house.admin)
    async with _held_before_publishing(monkeypatch, run) as release:
        assert await runs.rescue(everything=True) == 1
        await house.turn(NOON + timedelta(hours=1))
        await buy(house.id, "P0", ids["P0"], [Bought(NOON, 90_000_000)])
        assert await runs.perform(run.id, "second", 30)
        after = await _published()
        assert await release()
    assert await _published() == after
    ended = await Run.get(id=run.id)
    assert (ended.state, ended.attempt) == (RunState.SUCCEEDED, 2)
    last = await segments.latest(house.id)
    assert last is not None and last.as_of == NOON
    assert (await placements(house.id))[ids["P0"]].monetary_minor == 100_000
    assert await Segmentation.all().count() == 1
    assert await JournalLine.filter(name="segmentation.published").count() == 1


async def test_a_run_killed_after_publishing_does_not_publish_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _populate(house)
    run = await recompute(house.admin)
    await Run.filter(id=run.id).update(state=RunState.QUEUED, finished_at=None)
    before = await _published()
    assert await runs.perform(run.id, "second", 30)
    assert await _published() == before
    assert (await Run.get(id=run.id)).result == {"customers": 10, "changed": 10}


async def test_a_run_overtaken_by_another_starts_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await _populate(house)
    overtaken = await segments.recompute(house.admin)
    async with _held_before_publishing(monkeypatch, overtaken) as release:
        await runs.cancel(house.admin, overtaken.id)
        await release()
    later = NOON + timedelta(days=1)
    await house.turn(later)
    await recompute(house.admin)
    await runs.retry(house.admin, overtaken.id)
    assert await runs.perform(overtaken.id, "worker", 30)
    assert [row.as_of for row in await Segmentation.all().order_by("id")] == [later, later]
    assert (await Run.get(id=overtaken.id)).result == {"customers": 10, "changed": 0}
    assert len(await placements(house.id)) == 10


async def test_only_changed_rows_name_the_run_that_changed_them(house: House) -> None:
    ids = await _populate(house)
    first = await recompute(house.admin)
    await Customer.filter(id=ids["P3"]).update(cancelled_at=NOON)
    second = await recompute(house.admin)
    by_run = {i: placement.run_id for i, placement in (await placements(house.id)).items()}
    assert by_run == {i: second.id if i == ids["P3"] else first.id for i in ids.values()}
    last = await segments.latest(house.id)
    assert last is not None and (last.changed, last.run_id) == (1, second.id)


async def test_one_journal_line_tells_of_a_publication(house: House) -> None:
    await _populate(house)
    run = await recompute(house.admin)
    lines = await JournalLine.filter(subject="segmentation")
    assert [(line.name, line.subject_id, line.data) for line in lines] == [
        ("segmentation.published", run.id, {"as_of": NOON.isoformat(), "changed": 10, "mode": "FULL"})
    ]


async def test_two_workspaces_do_not_mix(house: House) -> None:
    other = await build_house("Other")
    mine = await _populate(house)
    theirs = await settle(other.id, [shopper("P0", NOON, 1, 50, 99_000_000)])
    await recompute(house.admin)
    assert set(await placements(house.id)) == set(mine.values())
    assert await placements(other.id) == {}
    assert (await segments.freshness(other.id)).latest is None
    before = [row for row in await table("placements") if row["workspace_id"] == house.id]
    await recompute(other.admin)
    assert set(await placements(other.id)) == set(theirs.values())
    assert [row for row in await table("placements") if row["workspace_id"] == house.id] == before
    for row in await table("memberships"):
        assert row["customer_id"] in (mine if row["workspace_id"] == house.id else theirs).values()


async def test_an_empty_workspace_is_published_empty(house: House) -> None:
    run = await recompute(house.admin)
    assert run.result == {"customers": 0, "changed": 0}
    assert sum((await segments.matrix(house.id)).values()) == 0
    assert await segments.tier_counts(house.id) == dict.fromkeys(RfmTier, 0)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN, Role.OPS_HEAD, Role.ANALYST])
async def test_builders_may_recompute_and_share_the_waiting_run(house: House, role: Role) -> None:
    first = await segments.recompute(house.staff[role])
    assert (first.queue, first.unique_key) == ("recompute", "all")
    assert (await segments.recompute(house.owner)).id == first.id


@pytest.mark.parametrize("role", [Role.TEAM_LEAD, Role.PLANNER, Role.EXECUTOR, Role.SUPPORT])
async def test_others_may_not_recompute(house: House, role: Role) -> None:
    with pytest.raises(Forbidden):
        await segments.recompute(house.staff[role])
    assert await Run.all().count() == 0


async def test_a_placement_is_stale_after_a_day_and_a_half(house: House) -> None:
    await settle(house.id, [Person("P", NOON)])
    assert await segments.freshness(house.id) == segments.Freshness(None, stale=True)
    run = await recompute(house.admin)
    await house.turn(NOON + timedelta(hours=36))
    fresh = await segments.freshness(house.id)
    assert fresh.latest is not None
    assert (fresh.latest.run_id, fresh.latest.as_of, fresh.stale) == (run.id, NOON, False)
    await house.turn(NOON + timedelta(hours=36, seconds=1))
    assert (await segments.freshness(house.id)).stale
