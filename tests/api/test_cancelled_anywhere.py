"""A client may hang up, or a worker be stopped, at any await of any action: it is done, once, or it is not.

`CARELINE_DEEP=1 pytest tests/api/test_cancelled_anywhere.py` tries every manner at every await, not each in turn.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tortoise import Tortoise

from api.context import Context
from api.ids import global_id, row_id
from api.schema import schema
from domain import db, feeds, runs, tasks, timekeeping
from domain.db.connection import APP
from domain.journal import JournalLine
from domain.runs import Run, RunState, Work
from domain.runs.work import Kind
from tests.conftest import House
from tests.domain.db.cancelling import Manner, at_rest, cancelled_at
from tests.security import surface
from tests.security.calls import valid
from tests.security.filling import an_id_of_each_type, draft, fill

DEEP = "CARELINE_DEEP" in os.environ
MANNERS = list(Manner)
MUTATIONS = list(surface.root("mutation").fields)
MOST_AWAITS = 400


@pytest.fixture
async def ids(house: House) -> AsyncIterator[dict[str, str]]:
    """A filled workspace whose feed has what was filled in, and beside it a table to write to."""
    await fill(house)
    while await feeds.number(house.id):
        pass
    await db.execute("CREATE TABLE marks (mark BIGINT NOT NULL)")
    yield await an_id_of_each_type(house)
    await whole()


async def whole() -> None:
    """The next one writes at once, and nobody holds anything."""
    async with asyncio.timeout(10):
        async with db.transaction():
            await db.execute("INSERT INTO marks (mark) VALUES (1)")
        await at_rest()


def figures_of_all() -> str:
    """A statement of one row for each table: how many rows it has, and how often they were changed."""
    assert Tortoise.apps is not None
    return " UNION ALL ".join(
        f"SELECT '{model._meta.db_table}' AS name, count(*) AS number, "
        f"{'sum(version)' if 'version' in model._meta.fields_map else '0'} AS changes "
        f'FROM "{model._meta.db_table}"'
        for model in Tortoise.apps[APP].values()
    )


async def stand() -> dict[str, tuple[int, int]]:
    return {row["name"]: (row["number"], int(row["changes"] or 0)) for row in await db.rows(figures_of_all())}


async def sent(house: House, name: str, given: dict[str, Any]) -> str:
    """What a mutation comes to: the name of its answer's type."""
    db.enter(house.id)
    text = surface.document("mutation", name, given, depth=0)
    answer = await schema.execute(text, variable_values=given, context_value=Context(house.owner))
    assert answer.errors is None, (name, answer.errors)
    assert answer.data is not None
    return str(answer.data[name]["__typename"])


async def something_to_do(house: House, ids: dict[str, str]) -> None:
    """An open task and a failed run, also after the mutations that end them."""
    task, _ = await tasks.create(
        house.owner, draft(house, row_id("Customer", ids["Customer"]), f"{ids['Task']}+")
    )
    ids["Task"] = global_id("Task", task.id)
    await Run.filter(id=row_id("Run", ids["FailedRun"])).update(
        state=RunState.FAILED, finished_at=timekeeping.machine_now()
    )


async def broken_off(house: House, name: str, given: dict[str, Any], manners: list[Manner], turn: int) -> int:
    """Send a mutation again and again, each time cancelled one await later, until one is not; how many."""
    before, done, answers = await stand(), None, []

    async def send() -> None:
        answers.append(await sent(house, name, given))

    for k in range(MOST_AWAITS):
        reached = await cancelled_at(send, k, manners[(k + turn) % len(manners)])
        await whole()
        now = await stand()
        if done is None and now != before:
            assert now["idempotency_keys"][0] == before["idempotency_keys"][0] + 1, (name, k)
            assert now["journal"][0] > before["journal"][0], (name, k)
            changed = {table for table in now if now[table] != before[table]}
            assert changed > {"idempotency_keys", "journal"}, (name, k, changed)
            done = now
        assert now == (before if done is None else done), (name, k)
        if not reached:
            assert done is not None, name
            assert answers[-1] == f"{name[0].upper()}{name[1:]}Payload", name
            return k
    raise AssertionError(f"{name} has more than {MOST_AWAITS} awaits")


@pytest.mark.timeout(0 if DEEP else 300)
async def test_every_mutation_is_done_once_or_not_at_all_wherever_it_is_cancelled(
    house: House, ids: dict[str, str]
) -> None:
    tried = 0
    for turn, name in enumerate(MUTATIONS):
        for number, manners in enumerate([[manner] for manner in MANNERS] if DEEP else [MANNERS]):
            await something_to_do(house, ids)
            given = {**valid(name, ids), "idempotencyKey": f"cancelled {name} {number}"}
            tried += await broken_off(house, name, given, manners, turn)
    assert tried > 5 * len(MUTATIONS), "they have more awaits than that: nothing was tried"


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.name.lower())
async def test_a_run_has_its_effect_once_wherever_its_worker_is_stopped(
    house: House, ids: dict[str, str], manner: Manner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def perform(work: Work) -> dict[str, bool]:
        if not work.cursor:
            async with work.step({"did": True}):
                await db.execute("INSERT INTO marks (mark) VALUES (:mark)", mark=1000 + work.run.id)
        return {"did": True}

    monkeypatch.setitem(runs.kinds, "work", Kind("work", perform))
    for k in range(MOST_AWAITS):
        run = await runs.enqueue(house.admin, "work")
        reached = await cancelled_at(lambda run=run: runs.perform(run.id, "w", 30), k, manner)  # type: ignore[misc]
        await whole()
        await _its_lines_agree(run)
        if (await Run.get(id=run.id)).state is RunState.RUNNING:
            await Run.filter(id=run.id).update(lease_until=timekeeping.machine_now())
            assert await runs.rescue() == 1
        await runs.perform(run.id, "w2", 30)
        assert (await Run.get(id=run.id)).state is RunState.SUCCEEDED, k
        assert await db.value("SELECT count(*) FROM marks WHERE mark = :mark", mark=1000 + run.id) == 1, k
        await _its_lines_agree(run)
        if not reached:
            assert k > 5, "it has more awaits than that: nothing was tried"
            return
    raise AssertionError(f"more than {MOST_AWAITS} awaits")


async def _its_lines_agree(run: Run) -> None:
    """The last line of a run tells the state it is in."""
    last = (
        await JournalLine.filter(workspace_id=run.workspace_id, subject="run", subject_id=run.id)
        .exclude(name="run.progressed")
        .order_by("-id")
        .first()
    )
    assert last is not None
    state = (await Run.get(id=run.id)).state
    assert last.name == ("run.started" if state is RunState.RUNNING else f"run.{state.value.lower()}")
