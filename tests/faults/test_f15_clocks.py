"""F15, F16: clocks that are wrong by ten minutes, and everything that fell due in six hours of standing still."""

import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.faults.load import Client
from tests.faults.test_f01_workers import ended, queued
from tests.faults.town import Town

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WRONG_SECONDS = 600
OVERDUE = 10_000
HOURS = 6
SLOTS = HOURS * 4


async def touched(client: Client, town: Town, key: str) -> int:
    """A task of a first touch that is due in a day, opened by a lead of this minute."""
    given = (
        f'input: {{externalId: "{key}", customerExternalId: "L-{key}", source: WEBSITE, consent: true, '
        f'acquiredAt: "{datetime.now(UTC).isoformat()}"}}'
    )
    assert await client.do("leadRecord", key, given, "lead { id }")
    ((task_id,),) = town.until(
        "SELECT t.id FROM tasks t JOIN leads l ON l.customer_id = t.customer_id "
        f"WHERE l.external_id = '{key}' AND t.kind = 'FIRST_TOUCH' AND t.state = 'OPEN'",
        bool,
    )
    return int(task_id)


@pytest.mark.parametrize("ahead", [WRONG_SECONDS, -WRONG_SECONDS])
async def test_f15_a_wrong_clock_fires_nothing_early_and_keeps_leases_and_keys_right(
    town: Town, client: Client, ahead: int
) -> None:
    for place in town.places:
        place.now.kill9()
        place.turn_clock(ahead)
    town.revive()
    for place in town.places:  # it took effect
        assert abs(place.now.wait_for("clock_differs")["seconds"] - ahead) < 5  # type: ignore[operator]

    task = await touched(client, town, f"f15{ahead}")
    ((due,),) = town.look(
        f"UPDATE tasks SET next_escalation_at = now() + interval '4 seconds' WHERE id = {task} "
        "RETURNING next_escalation_at"
    )
    rung = f"SELECT now() FROM tasks WHERE id = {task} AND rung > 0"
    ((seen,),) = town.until(rung, bool, 15)
    assert -1 <= (seen - due).total_seconds() <= 3
    ((acted,),) = town.look(f"SELECT acted_at FROM escalations WHERE task_id = {task}")
    assert -1 <= (acted - due).total_seconds() <= 3

    (run_id,) = queued(town, '{"steps": 10, "pause": 0.5}')
    left = (
        f"SELECT extract(epoch FROM lease_until - now()) FROM runs WHERE id = {run_id} AND state = 'RUNNING'"
    )
    for _ in range(10):  # twice as long as the lease of two seconds
        ((seconds,),) = town.until(left, bool, 15)
        assert 0 < seconds <= 2
        time.sleep(0.4)
    assert ended(town, [run_id]) == [("SUCCEEDED", 1, None)]

    key = f'input: {{name: "f15{ahead}", role: ADMIN}}'
    made = await client.do("apiKeyCreate", f"f15{ahead}-key", key, "secret")
    assert made
    ((end,),) = town.look(
        f"UPDATE api_keys SET expires_at = now() + interval '3 seconds' WHERE name = 'f15{ahead}' "
        "RETURNING expires_at"
    )
    holds = datetime.now(UTC)
    while welcome(town, made["secret"]):
        holds = datetime.now(UTC)
    assert -1 <= (holds - end).total_seconds() <= 1


def welcome(town: Town, key: str) -> bool:
    answer = httpx2.post(
        f"{town.urls[0]}/graphql",
        json={"query": "{ __typename }"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    )
    assert answer.is_success or '"UNAUTHENTICATED"' in answer.text
    return answer.is_success


async def test_f16_of_the_slots_that_went_by_each_policy_makes_up_for_its_own(
    town: Town, client: Client
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    last = now - timedelta(minutes=7)  # neither a slot of this very minute nor one that comes while we look
    minutes = ",".join(str(minute) for minute in sorted((last.minute + 15 * n) % 60 for n in range(4)))
    for policy in ("NONE", "LATEST", "ALL"):
        given = (
            f'input: {{name: "{policy}", kind: "segmentation_recompute", cron: "{minutes} * * * *", '
            f"catchUp: {policy}, catchUpSeconds: {(HOURS + 1) * 3600}}}"
        )
        assert await client.do("scheduleCreate", f"f16-{policy}", given, "schedule { id }")
    for place in town.workers:
        place.now.kill9()
    first = last - timedelta(minutes=15 * (SLOTS - 1))
    town.look(f"UPDATE schedules SET next_at = '{first}', next_slot_at = '{first}' RETURNING id")
    town.revive()
    town.until("SELECT id FROM schedules WHERE next_at < now()", lambda rows: not rows)
    told = town.look(
        "SELECT s.name, count(j.id), count(DISTINCT j.data::jsonb ->> 'slot_at'), max(s.missed) FROM schedules s "
        "LEFT JOIN journal j ON j.subject_id = s.id AND j.name = 'schedule.fired' GROUP BY s.name"
    )
    assert {name: tuple(rest) for name, *rest in told} == {
        "NONE": (0, 0, SLOTS),
        "LATEST": (1, 1, SLOTS - 1),
        "ALL": (SLOTS, SLOTS, 0),
    }


async def test_f16_ten_thousand_overdue_timers_fire_once_each_in_the_order_in_which_they_were_due(
    town: Town, client: Client
) -> None:
    task = await touched(client, town, "f16")
    for place in town.workers:
        place.now.kill9()
    overdue(town, task, "f16", OVERDUE)
    town.revive()
    began = time.monotonic()
    due = fired(town, "f16", OVERDUE)
    took = time.monotonic() - began
    assert due == sorted(due)
    print(f"{OVERDUE} overdue timers in {took:.1f} s")
    assert took <= 60


def overdue(town: Town, task: int, name: str, count: int) -> None:
    """So many tasks like this one, whose last rung has been due for hours."""
    columns = ", ".join(
        name
        for (name,) in town.look(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'tasks' "
            "AND column_name NOT IN ('id', 'dedupe_key', 'next_escalation_at', 'rung')"
        )
    )
    town.look(
        f"INSERT INTO tasks (dedupe_key, next_escalation_at, rung, {columns}) "
        f"SELECT '{name}:' || n, now() - {HOURS} * interval '1 hour' + n * interval '2 seconds', 1, {columns} "
        f"FROM tasks, generate_series(1, {count}) n WHERE tasks.id = {task} RETURNING id"
    )


def fired(town: Town, name: str, count: int) -> list[datetime]:
    """Once all of them have climbed their rung, each once: when each was due, in the order they climbed."""
    mine = f"SELECT id FROM tasks WHERE dedupe_key LIKE '{name}:%'"
    town.until(
        f"SELECT count(*) FROM tasks WHERE id IN ({mine}) AND next_escalation_at IS NOT NULL",
        lambda rows: rows == [(0,)],
        120,
    )
    rungs = town.look(f"SELECT task_id, due_at FROM escalations WHERE task_id IN ({mine}) ORDER BY id")
    assert len(rungs) == len({task_id for task_id, _ in rungs}) == count
    return [due_at for _, due_at in rungs]
