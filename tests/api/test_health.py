"""What operators are told: figures, health and numbers of requests, without a key and without anybody's data."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import structlog
from structlog.testing import capture_logs

from api import app, health
from domain import customers, db, figures, journal, runs, tasks, timekeeping, workspaces
from domain.access import Role, system
from domain.db import slowness
from domain.journal import Entry
from domain.runs import Leadership, Run
from domain.runs.census import CENSUS
from domain.settings import Settings
from domain.tasks import Draft, TaskKind
from jobs.clock import Clock
from jobs.due import DUE
from jobs.hands import Hands
from jobs.vitals import Vitals
from tests.conftest import House, build_house

LATER = datetime(2099, 1, 1, tzinfo=UTC)
SAMPLE = re.compile(r"^(careline_\w+)(?:\{(.*)\})? (\S+)$")


@pytest.fixture
def vitals(database: str) -> Vitals:
    return Vitals(Settings(DATABASE_URL=database))


@pytest.fixture
async def client(vitals: Vitals, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    monkeypatch.setattr(health, "KEPT_SECONDS", -1.0)
    transport = httpx2.ASGITransport(app=app.create(vitals.settings, vitals), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as client:
        yield client


async def scraped(client: httpx2.AsyncClient) -> dict[str, float]:
    """Every sample of Careline's own, as `name{labels}` → value."""
    text = (await client.get("/metrics")).text
    found = {}
    for line in text.splitlines():
        if match := SAMPLE.match(line):
            labels = match[2].replace('"', "") if match[2] else ""
            found[f"{match[1]}{{{labels}}}" if labels else match[1]] = float(match[3])
    return found


def idle_clock(alone: bool = False) -> Clock:
    return Clock(None, None, Hands(2), 30, alone=alone)  # type: ignore[arg-type]


async def queued(house: House, ago: int, kind: str = "kpi_snapshot", **changes: Any) -> Run:
    run = await runs.enqueue(house.admin, kind)
    since = timekeeping.machine_now() - timedelta(seconds=ago)
    await Run.filter(id=run.id).update(run_at=since, **changes)
    return run


async def test_runs_are_counted_by_queue_and_state_and_the_oldest_gives_the_queues_age(
    client: httpx2.AsyncClient, house: House
) -> None:
    await queued(house, 90)
    before = await scraped(client)
    assert before["careline_queue_depth{queue=reports}"] == 1
    assert 90 <= before["careline_queue_age_seconds{queue=reports}"] < 150
    assert before["careline_runs{queue=reports,state=QUEUED}"] == 1
    assert before["careline_queue_age_seconds{queue=timers}"] == 0
    assert before["careline_runs_unknown"] == 0
    ended = before.get("careline_runs_ended_total{state=SUCCEEDED}", 0)
    assert await runs.perform((await Run.all().first()).id, "w", 30)  # type: ignore[union-attr]
    after = await scraped(client)
    assert after["careline_queue_depth{queue=reports}"] == 0
    assert after["careline_queue_age_seconds{queue=reports}"] == 0
    assert after["careline_runs_ended_total{state=SUCCEEDED}"] == ended + 1


async def test_a_run_that_waits_for_another_version_of_the_code_is_told_with_its_age(
    client: httpx2.AsyncClient, house: House
) -> None:
    await queued(house, 400, kind="kpi_snapshot")
    await Run.all().update(kind="of_tomorrow")
    told = await scraped(client)
    assert told["careline_runs_unknown"] == 1
    assert 400 <= told["careline_runs_unknown_age_seconds"] < 460


async def test_lost_and_poisoned_runs_are_counted(client: httpx2.AsyncClient, house: House) -> None:
    before = await scraped(client)
    run = await queued(house, 1)
    past = timekeeping.machine_now() - timedelta(seconds=1)
    await Run.filter(id=run.id).update(state=runs.RunState.RUNNING, lease_until=past, deaths=99)
    assert await runs.rescue() == 1
    after = await scraped(client)
    assert after["careline_runs_lost_total"] == before["careline_runs_lost_total"] + 1
    assert after["careline_runs_poisoned_total"] == before["careline_runs_poisoned_total"] + 1


async def test_an_overdue_timer_shows_as_lag_of_its_kind_and_a_sandboxs_does_not(
    client: httpx2.AsyncClient, database: str
) -> None:
    for name, clock_at in (("Live", None), ("Sandbox", datetime(2030, 1, 1, tzinfo=UTC))):
        house = await build_house(name, clock_at=clock_at)
        whom, _ = await customers.upsert(house.admin, "C-1")
        call = Draft(TaskKind.GENERAL, whom.id, "Call", "call", due_at=LATER, contact_at=LATER, channel=None)
        await tasks.create(house.admin, call)
        if clock_at is not None:
            await db.execute(
                "UPDATE tasks SET next_escalation_at = :at WHERE workspace_id = :workspace",
                at=timekeeping.machine_now() - timedelta(days=1),
                workspace=house.id,
            )
    quiet = await scraped(client)
    assert {quiet[f"careline_due_lag_seconds{{timer={name}}}"] for name in DUE} == {0}
    await db.execute(
        "UPDATE tasks SET next_escalation_at = :at", at=timekeeping.machine_now() - timedelta(seconds=70)
    )
    late = await scraped(client)
    assert 70 <= late["careline_due_lag_seconds{timer=escalations}"] < 130
    assert late["careline_due_lag_seconds{timer=snoozes}"] == 0


async def test_the_feeds_lag_is_told_in_lines_and_in_seconds(
    client: httpx2.AsyncClient, house: House
) -> None:
    before = await scraped(client)
    async with db.transaction():
        await journal.write(house.admin, Entry("task.opened", 1))
    await db.execute(
        "UPDATE journal SET recorded_at = :at WHERE position IS NULL",
        at=timekeeping.machine_now() - timedelta(seconds=40),
    )
    after = await scraped(client)
    assert 40 <= after["careline_feed_lag_seconds"] < 100
    assert after["careline_feed_lag_lines"] == before["careline_feed_lag_lines"]
    await db.execute("UPDATE feeds SET head = reacted + 3")
    assert (await scraped(client))["careline_feed_lag_lines"] == 3
    assert (await scraped(client))["careline_parked_lines"] == 0


@pytest.mark.one_path
async def test_operations_errors_and_refusals_are_counted(client: httpx2.AsyncClient, house: House) -> None:
    secret = (
        await workspaces.create_key(system(house.id), name="k", role=Role.OWNER, user_id=house.owner.user_id)
    ).secret
    before = await scraped(client)

    async def ask(document: str, key: str = secret) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return (await client.post("/graphql", json={"query": document}, headers=headers)).json()

    await ask("{ viewer { role } }")
    await ask("{ nonsense }")
    await ask("{ viewer { role } }", key="wrong")
    refused = await ask(
        'mutation { customerUpsert(input: {externalId: ""}) { __typename ... on Refusal { userErrors { code } } } }'
    )
    codes = [error["code"] for error in refused["data"]["customerUpsert"]["userErrors"]]
    after = await scraped(client)

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more("careline_operation_seconds_count{type=query}") == 2
    assert more("careline_operation_seconds_count{type=mutation}") == 1
    assert more("careline_errors_total{code=BAD_REQUEST}") == 1
    assert more("careline_errors_total{code=UNAUTHENTICATED}") == 1
    assert codes
    for code in set(codes):
        assert more(f"careline_refusals_total{{code={code}}}") == codes.count(code)


async def test_an_open_stream_is_a_subscriber_until_it_ends(client: httpx2.AsyncClient, house: House) -> None:
    from api.live import streams

    secret = (
        await workspaces.create_key(system(house.id), name="k", role=Role.OWNER, user_id=house.owner.user_id)
    ).secret
    before = (await scraped(client))["careline_subscribers"]
    stream = asyncio.create_task(
        client.post(
            "/graphql",
            json={"query": "subscription { taskChanged { change } }"},
            headers={"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"},
        )
    )
    async with asyncio.timeout(20):
        while (await scraped(client))["careline_subscribers"] != before + 1:
            await asyncio.sleep(0.01)
        streams.end()
        await stream
    streams.ending = False
    assert (await scraped(client))["careline_subscribers"] == before


async def test_a_slow_statement_is_counted_and_logged_without_its_values(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slowness, "SLOW_SECONDS", 0.0)
    before = figures.SLOW_STATEMENTS._value.get()
    with capture_logs() as logged:
        await workspaces.add_user(house.id, "Wellensittich Xaver", "x@canary.example", Role.EXECUTOR)
        await db.rows("SELECT id FROM users WHERE name = :name OR name = 'Zeisig'", name="Rotkehlchen")
        await db.execute("UPDATE users SET name = :name WHERE id = 0", name="Rotkehlchen")
    slow = [line for line in logged if line["event"] == "statement_slow"]
    assert figures.SLOW_STATEMENTS._value.get() == before + len(slow)
    assert any("INSERT INTO" in line["statement"] for line in slow)
    assert any("UPDATE users" in line["statement"] for line in slow)
    told = json.dumps(slow)
    for canary in ("Xaver", "canary", "Rotkehlchen", "Zeisig"):
        assert canary not in told


async def test_a_statement_in_time_is_not_told(house: House) -> None:
    before = figures.SLOW_STATEMENTS._value.get()
    with capture_logs() as logged:
        await db.value("SELECT 1 AS one")
    assert (logged, figures.SLOW_STATEMENTS._value.get()) == ([], before)


async def test_a_clock_that_leads_is_told_and_one_not_seen_for_long_is_reported(
    client: httpx2.AsyncClient, vitals: Vitals, house: House
) -> None:
    ready = await client.get("/health/ready")
    assert ready.status_code == 200
    if not db.is_postgres():  # an embedded server has its own clock, and no lease
        assert ready.json() == {"status": "ok"}
        assert "careline_clock_seen_seconds" not in await scraped(client)
        return
    assert ready.json()["status"] == "degraded"
    assert set(ready.json()["warnings"]) == {"workers"}
    assert await Leadership("somebody").lead()
    assert (await client.get("/health/ready")).json() == {"status": "ok"}
    assert 0 <= (await scraped(client))["careline_clock_seen_seconds"] < 5
    await db.execute("UPDATE leases SET until = {now+ago}", ago=-12)
    assert (await client.get("/health/ready")).json()["status"] == "degraded"
    assert 16 <= (await scraped(client))["careline_clock_seen_seconds"] < 60


async def test_a_process_with_a_clock_tells_its_lag_and_a_stalled_one_is_not_ready(
    client: httpx2.AsyncClient, vitals: Vitals, house: House
) -> None:
    assert "careline_leader" not in await scraped(client)
    vitals.clock = idle_clock(alone=True)
    told = await scraped(client)
    assert (told["careline_leader"], told["careline_broker_open"], told["careline_runs_in_hand"]) == (1, 0, 0)
    assert 0 <= told["careline_clock_lag_seconds"] < 30
    vitals.clock.ticked -= 31
    assert (await scraped(client))["careline_clock_lag_seconds"] > 30
    stalled = await client.get("/health/ready")
    assert (stalled.status_code, stalled.json()["problems"]) == (503, {"clock": "stalled"})
    assert (await client.get("/health/live")).status_code == 200


async def test_a_broker_that_is_away_is_reported_and_the_process_is_ready_all_the_same(
    client: httpx2.AsyncClient, vitals: Vitals, house: House
) -> None:
    vitals.settings = vitals.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    ready = await client.get("/health/ready")
    assert ready.status_code == 200
    assert "broker" in ready.json()["warnings"]


async def test_a_database_that_is_away_is_told_and_the_rest_is_told_all_the_same(
    client: httpx2.AsyncClient, vitals: Vitals, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await scraped(client))["careline_database_up"] == 1

    async def away(*_: Any, **__: Any) -> Any:
        raise ConnectionError("hunter2")

    monkeypatch.setattr(db, "value", away)
    monkeypatch.setattr(vitals, "everywhere", away)
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["problems"]) == (503, {"database": "ConnectionError"})
    told = await scraped(client)
    assert told["careline_database_up"] == 0
    assert "careline_subscribers" in told
    assert "careline_queue_depth{queue=default}" not in told


async def test_the_pools_use_is_told_where_there_is_a_pool(client: httpx2.AsyncClient, house: House) -> None:
    told = await scraped(client)
    if not db.is_postgres():
        assert not any(name.startswith("careline_pool") for name in told)
        return
    assert told["careline_pool_connections{use=most}"] == 16
    assert told["careline_pool_connections{use=used}"] == 0
    async with db.transaction():
        assert (await scraped(client))["careline_pool_connections{use=used}"] >= 1


async def test_who_asks_more_often_than_once_a_second_costs_no_more_statements(
    client: httpx2.AsyncClient, vitals: Vitals, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 1000.0)
    asked = 0
    everywhere = vitals.everywhere

    async def counted() -> Any:
        nonlocal asked
        asked += 1
        return await everywhere()

    monkeypatch.setattr(vitals, "everywhere", counted)
    await asyncio.gather(*(client.get("/metrics") for _ in range(5)))
    assert asked == 1


async def test_the_census_of_runs_walks_partial_indexes_only(house: House) -> None:
    if not db.is_postgres():
        plan = " ".join(row["detail"] for row in await db.rows(f"EXPLAIN QUERY PLAN {CENSUS}"))
        assert plan.count("runs USING INDEX") + plan.count("runs USING COVERING INDEX") == 3, plan
        return
    async with db.transaction():
        await db.rows("SET LOCAL enable_seqscan = off")
        plan = " ".join(row["QUERY PLAN"] for row in await db.rows(f"EXPLAIN {CENSUS}"))
    assert "Seq Scan" not in plan
    assert not any(whole in plan for whole in ("runs_by_state", "runs_by_kind", "runs_pkey")), plan


async def test_the_figures_name_nobody(client: httpx2.AsyncClient, house: House) -> None:
    await workspaces.create("Zeisig Holding")
    await queued(house, 1)
    figures.DEPRECATED_USES.labels("Query.old", house.owner.label).inc()
    text = (await client.get("/metrics")).text
    assert "Zeisig" not in text
    assert "workspace" not in text
    by_caller = [line for line in text.splitlines() if line.startswith("careline_deprecated_uses_")]
    assert any('place="Query.old"' in line for line in by_caller)
    for line in by_caller:  # a kind and a number, of whoever has to be told
        assert re.fullmatch(r'\w+\{caller="[a-z_]+:\d+",place="[\w.()]+"\} \S+', line), line
    others = "\n".join(line for line in text.splitlines() if line not in by_caller)
    labels = set(re.findall(r'[{,](\w+)="', others))
    assert labels <= {"queue", "state", "timer", "type", "code", "use", "le"}


async def test_every_answer_has_a_number_of_its_own_and_so_has_all_that_is_logged_of_it(
    client: httpx2.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[Any] = []

    async def broken(*_: Any, **__: Any) -> Any:
        logged.append(structlog.contextvars.get_contextvars())
        raise RuntimeError("boom")

    monkeypatch.setattr(app, "authenticate", broken)
    monkeypatch.setattr(workspaces, "authenticate", broken)
    answers = [
        await client.post("/graphql", json={"query": "{ viewer { role } }"}, headers={"X-Request-Id": "mine"})
        for _ in range(2)
    ]
    numbers = [answer.headers["X-Request-Id"] for answer in answers]
    assert len(set(numbers)) == 2
    assert "mine" not in numbers
    assert [line["request"] for line in logged] == numbers
    assert structlog.contextvars.get_contextvars() == {}
    assert (await client.get("/health/live")).headers["X-Request-Id"] not in numbers
