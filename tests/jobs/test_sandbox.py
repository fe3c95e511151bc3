"""A turned clock steps from one due instant to the next, and what falls due sees its own instant."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import customers, db, feeds, runs, segments, tasks, timekeeping, workspaces
from domain.access import Principal, Role
from domain.customers import LeadSource
from domain.journal import JournalLine
from domain.runs import CLOCK_ADVANCE, Run, RunState, Schedule, SchedulePreset, Work
from domain.tasks import Escalation, Task, TaskState
from domain.timekeeping import TICK
from jobs import sandbox
from jobs.actors import do_due, drain
from jobs.due import DUE
from tests.conftest import NOON, House, build_house
from tests.stories.stage import Stage, shanghai, staged

FIRST_NIGHT, SECOND_NIGHT = shanghai("2025-03-04 02:00:00"), shanghai("2025-03-05 02:00:00")
FIRED = ("task.escalated", "task.woken", "segmentation.published")


@pytest.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    async with staged(database, NOON) as opened:
        yield opened


async def first_touch(house: House, name: str, acquired_at: datetime) -> Task:
    """The task of a new lead, due 24 hours after it was gained."""
    customer, _ = await customers.upsert(house.admin, name)
    async with db.transaction():
        await tasks.open_first_touch(
            house.admin, lead_id=customer.id, customer_id=customer.id, acquired_at=acquired_at
        )
    return await Task.get(workspace_id=house.id, customer_id=customer.id)


async def fired(house: House) -> list[tuple[str, int, datetime]]:
    """What fired by itself, in the order in which it did: name, subject, and the instant it saw."""
    lines = await JournalLine.filter(workspace_id=house.id, name__in=FIRED).order_by("position")
    return [(line.name, 0 if line.name == FIRED[2] else line.subject_id, line.at) for line in lines]


async def clock_of(house: House) -> datetime:
    at = (await workspaces.get(house.id)).clock_at
    assert at is not None
    return at


async def with_everything_due(house: House) -> list[tuple[str, int, datetime]]:
    """Two leads, a snooze and a schedule; what is to fire within two days, in order."""
    early = await first_touch(house, "early", NOON - timedelta(hours=20))
    late = await first_touch(house, "late", NOON)
    await tasks.snooze(house.staff[Role.EXECUTOR], late.id, NOON + timedelta(hours=3))
    await runs.create_schedule(house.admin, preset=SchedulePreset.NIGHTLY_RECOMPUTE)
    return [
        ("task.woken", late.id, NOON + timedelta(hours=3)),
        ("task.escalated", early.id, NOON + timedelta(hours=4) + TICK),
        ("segmentation.published", 0, FIRST_NIGHT),
        ("task.escalated", late.id, NOON + timedelta(hours=24) + TICK),
        ("task.escalated", early.id, NOON + timedelta(hours=28) + TICK),
        ("segmentation.published", 0, SECOND_NIGHT),
        ("task.escalated", late.id, NOON + timedelta(hours=48) + TICK),
    ]


async def test_a_turned_clock_fires_everything_in_due_order_at_its_own_instant(stage: Stage) -> None:
    expected = await with_everything_due(stage.house)
    target = NOON + timedelta(hours=49)
    run = await stage.advance(target)
    assert await fired(stage.house) == expected
    assert await clock_of(stage.house) == target
    # The run's own count: one step for each due instant, and the last one to where it was asked to go.
    assert {e["name"]: e["value"] for e in run["result"]} == {"instants": "8", "at": target.isoformat()}
    climbed = await Escalation.filter(workspace_id=stage.house.id).order_by("id")
    assert [(e.task_id, e.due_at, e.acted_at) for e in climbed] == [
        (subject, at, at) for name, subject, at in expected if name == "task.escalated"
    ]
    published = await segments.latest(stage.house.id)
    assert published is not None and published.as_of == SECOND_NIGHT
    nightly = await Schedule.get(workspace_id=stage.house.id)
    assert (nightly.next_at, nightly.missed) == (shanghai("2025-03-06 02:00:00"), 0)


async def test_turning_in_many_steps_fires_the_same_as_turning_at_once(stage: Stage) -> None:
    expected = await with_everything_due(stage.house)
    for hours in (1, 3, 4, 14, 24, 30, 49):
        await stage.advance(NOON + timedelta(hours=hours))
        clock = await clock_of(stage.house)
        assert await fired(stage.house) == [line for line in expected if line[2] <= clock]


async def test_a_sandbox_without_a_schedule_fires_none(stage: Stage) -> None:
    await stage.advance(NOON + timedelta(days=3))
    assert await fired(stage.house) == []


@pytest.mark.parametrize("steps", [1, 2, 3])
async def test_an_advance_that_is_cancelled_leaves_the_clock_at_an_instant_it_reached(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    expected = await with_everything_due(stage.house)
    settle, settled = sandbox.settle, 0

    async def cancelling(work: Work) -> None:
        nonlocal settled
        await settle(work)
        settled += 1
        if settled == steps + 1:  # the first one is of the instant where the clock stands
            await runs.cancel(stage.house.owner, work.run.id)

    monkeypatch.setattr(sandbox, "settle", cancelling)
    run = await runs.advance_clock(stage.house.owner, NOON + timedelta(days=9))
    await stage.settle()
    assert (await Run.get(id=run.id)).state is RunState.CANCELLED
    reached = expected[steps - 1][2]
    assert await clock_of(stage.house) == reached
    assert await fired(stage.house) == expected[:steps], "all up to there, nothing after"

    await stage.advance(NOON + timedelta(hours=49))
    assert await fired(stage.house) == expected


async def test_an_advance_whose_worker_went_away_goes_on_where_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await with_everything_due(stage.house)
    settle, settled = sandbox.settle, 0

    async def lost(work: Work) -> None:
        nonlocal settled
        settled += 1
        await settle(work)
        if settled in (2, 4):
            await runs.rescue(everything=True)

    monkeypatch.setattr(sandbox, "settle", lost)
    await stage.advance(NOON + timedelta(hours=49))
    assert await fired(stage.house) == expected
    run = await Run.get(workspace_id=stage.house.id, kind=CLOCK_ADVANCE)
    assert (run.attempt, [error["code"] for error in run.errors]) == (3, ["LOST", "LOST"])


async def test_two_advances_at_once_fire_everything_once(stage: Stage) -> None:
    expected = await with_everything_due(stage.house)
    targets = [NOON + timedelta(hours=25), NOON + timedelta(hours=49)]
    await asyncio.gather(*(stage.advance(target) for target in targets))
    assert await fired(stage.house) == expected
    assert await clock_of(stage.house) == targets[1]


async def test_a_sandbox_does_not_fire_by_the_real_clock(database: str, stage: Stage) -> None:
    """Its deadlines of 2025 are long past for the machine; a workspace on the real clock shows that it works."""
    await with_everything_due(stage.house)
    home = await build_house("Home", clock_at=None)
    customer, _ = await customers.upsert(home.admin, "C")
    async with db.transaction():
        await tasks.open_first_touch(home.admin, lead_id=1, customer_id=customer.id, acquired_at=NOON)
    async with asyncio.timeout(30):
        while await Escalation.filter(workspace_id=home.id).count() < 2:
            await asyncio.sleep(0.02)
    assert await fired(stage.house) == []
    for kind, due in DUE.items():
        found = await due.find(timekeeping.machine_now(), None, 100)
        assert [row for row in found if row["workspace_id"] == stage.house.id] == []
        await do_due(kind)
    assert await fired(stage.house) == []
    assert await Run.filter(workspace_id=stage.house.id).count() == 0
    assert await clock_of(stage.house) == NOON


async def test_a_sandbox_ahead_of_the_real_clock_fires_by_its_own(database: str) -> None:
    ahead = timekeeping.machine_now().replace(microsecond=0) + timedelta(days=400)
    house = await build_house(clock_at=ahead)
    task = await first_touch(house, "C", ahead - timedelta(hours=24))
    assert await drain("escalations", house.id) == 0, "due at this instant is still in time"
    assert await workspaces.turn_clock(house.id, ahead, ahead + TICK)
    assert await drain("escalations", None) == 0
    assert await drain("escalations", house.id) == 1
    (climbed,) = await Escalation.filter(workspace_id=house.id)
    assert (climbed.task_id, climbed.acted_at) == (task.id, ahead + TICK)


async def test_a_row_that_fails_does_not_hold_the_clock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await first_touch(stage.house, "C", NOON)

    async def fail(*_: Any) -> bool:
        raise RuntimeError

    monkeypatch.setitem(
        DUE, "escalations", type(DUE["escalations"])(tasks.due_escalations, fail, tasks.set_apart)
    )
    await stage.advance(NOON + timedelta(days=2))
    after = await Task.get(id=task.id)
    assert (after.state, after.rung) == (TaskState.OPEN, 0)
    assert after.attempts >= 1
    assert await clock_of(stage.house) == NOON + timedelta(days=2)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_clock_waits_for_a_reaction_that_another_worker_has_in_hand(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the reaction would see a later instant than the one that called for it."""
    seen: list[datetime] = []
    begun, go_on = asyncio.Event(), asyncio.Event()
    others: list[asyncio.Task[int]] = []
    number, quiet = feeds.number, 0

    async def slow(who: Principal, line: JournalLine) -> None:
        begun.set()
        await go_on.wait()
        seen.append(await timekeeping.now(who.workspace_id))

    async def overtaken(workspace_id: int) -> int:
        """As all seems quiet a lead comes in, and another worker has its line before anybody looks again."""
        nonlocal quiet
        numbered = await number(workspace_id)
        quiet += not numbered
        if quiet == 2 and not others:
            await customers.record_lead(
                house.admin,
                "L1",
                customer_external_id="C1",
                source=LeadSource.WEBSITE,
                acquired_at=NOON,
                consent=True,
            )
            await number(workspace_id)
            others.append(asyncio.create_task(feeds.react(workspace_id, {"lead.recorded": slow})))
            await begun.wait()
        return numbered

    monkeypatch.setattr(feeds, "number", overtaken)
    run = await runs.advance_clock(house.owner, NOON + timedelta(hours=1))
    advancing = asyncio.create_task(runs.perform(run.id, "worker", 30))
    await begun.wait()
    await asyncio.wait([advancing], timeout=0.5)  # long enough for a clock that does not wait
    assert await clock_of(house) == NOON
    go_on.set()
    await asyncio.gather(advancing, *others)
    assert seen == [NOON]
    assert await clock_of(house) == NOON + timedelta(hours=1)
