"""F3 to F8: Redis flushed, killed, refusing, silent, losing its replies, full. It may cost a moment, and nothing else."""

import asyncio
import threading
import time

import pytest

from bench.figures import percentile
from tests.faults.load import Client
from tests.faults.test_f01_workers import DOUBLED, ended, queued
from tests.faults.test_f15_clocks import fired, overdue, touched
from tests.faults.town import Town

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
QUICK = '{"steps": 1, "pause": 0.0}'


def drained(town: Town, ids: list[int], seconds: float) -> None:
    """All of them end in time, each done once."""
    assert {state for state, _, _ in ended(town, ids, seconds)} == {"SUCCEEDED"}
    ((rows, runs),) = town.look(
        f"SELECT count(*), count(DISTINCT run_id) FROM probe_effects WHERE run_id >= {ids[0]}"
    )
    assert rows == runs == len(ids)


def many(town: Town, count: int) -> list[int]:
    statement = queued(town, QUICK)  # one by itself: how a row looks
    ids = town.look(
        "INSERT INTO runs (workspace_id, version, kind, queue, priority, state, args, run_at, attempt, "
        "max_attempts, fence, deadline_seconds, progress_done, progress_unit, progress_message, errors, "
        "started_by, queued_at) SELECT workspace_id, 1, kind, queue, priority, 'QUEUED', args, now(), 0, 8, 0, "
        f"deadline_seconds, 0, '', '', '[]', started_by, now() FROM runs, generate_series(2, {count}) "
        f"WHERE runs.id = {statement[0]} RETURNING id"
    )
    return [*statement, *(run_id for (run_id,) in ids)]


async def test_f03_flushed_with_five_hundred_queued_and_two_hundred_timers_due(
    town: Town, client: Client
) -> None:
    assert town.valkey is not None
    task = await touched(client, town, "f03")
    for place in town.workers:
        place.now.freeze()
    ids = many(town, 500)
    overdue(town, task, "f03", 200)
    town.valkey.flush()
    for place in town.workers:
        place.now.thaw()
    began = time.monotonic()
    drained(town, ids, 60)
    fired(town, "f03", 200)
    assert time.monotonic() - began <= 10 + 2  # and what the machine makes of it


def test_f04_killed_without_persistence_with_five_hundred_queued(town: Town) -> None:
    assert town.valkey is not None
    ids = many(town, 500)
    town.valkey.kill9()
    town.valkey.start()
    drained(town, ids, 60)


AWAY_SECONDS = 60.0


@pytest.mark.parametrize("how", ["refuses", "is_silent", "is_full", "is_a_replica"])
async def test_f05_f06_f08_away_no_mutation_fails_and_work_goes_on(
    town: Town, client: Client, how: str
) -> None:
    assert town.to_valkey is not None
    assert town.valkey is not None
    calm = await mutations(client, f"{how}-calm", 10)
    hung = len(town.logged("loop_hangs"))
    if how == "refuses":
        town.to_valkey.refuse()
    elif how == "is_silent":
        town.to_valkey.held = True
    elif how == "is_full":
        town.valkey.configure("maxmemory", "1")
    else:
        town.valkey.demote()
    began = time.monotonic()
    try:
        ids = queued(town, *[QUICK] * 20)
        drained(town, ids, 30)
        assert time.monotonic() - began < 5 + 2
        away = await mutations(client, f"{how}-away", began + AWAY_SECONDS - time.monotonic())
    finally:
        town.valkey.configure("maxmemory", "0")
        town.valkey.promote()
    assert client._log.unanswered.total() == 0
    assert client._log.wrong == []
    assert percentile(away, 0.99) <= percentile(calm, 0.99) + 0.05
    assert len(town.logged("loop_hangs")) == hung, "nobody waited for it on the loop"
    assert town.look(DOUBLED) == []


async def mutations(client: Client, name: str, seconds: float) -> list[float]:
    """How long each of the mutations took that were asked for, ten in each of so many seconds."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        await client.order(f"{name}-{len(took)}")
        took.append(time.monotonic() - began)
        await asyncio.sleep(max(0, 0.1 - took[-1]))
    return took


def test_f07_its_answers_lost_a_run_is_done_once(town: Town) -> None:
    assert town.to_valkey is not None
    town.to_valkey.losing_replies = True
    calm = threading.Timer(4, town.to_valkey.heal)
    calm.start()
    ids = queued(town, *['{"steps": 2, "pause": 0.3}'] * 30)
    assert {state for state, _, _ in ended(town, ids)} == {"SUCCEEDED"}
    calm.join()
    assert town.to_valkey.lost_bytes
    assert town.look(DOUBLED) == []
