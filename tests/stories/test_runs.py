"""Machine work as those see it who look after it: every state, policy and command, through the API."""

import asyncio
import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from domain import runs, timekeeping
from domain.access import Role
from domain.journal import JournalLine
from domain.runs import Kind, Overlap, Refused, RunQueue, Work
from tests.conftest import NOON
from tests.stories.conftest import Open
from tests.stories.stage import WAIT_SECONDS, Stage

RUN = """query ($id: ID!) { run(id: $id) { id kind queue state attempt worker errorCode startedBy
  errors { attempt code message worker at } progress { done total unit message etaSeconds }
  result { name value } mergedInto { id } } }"""
RUNS = (
    """query ($where: RunWhere) { runs(where: $where, first: 50) { totalCount nodes { id kind state } } }"""
)
QUEUES = "{ queues { name waiting running oldestAt paused } runPauses { queue kind reason pausedBy } }"
CANCEL = """mutation ($id: ID!) { runCancel(id: $id) { __typename ... on RunCancelPayload { run { state } }
  ... on Refusal { userErrors { code message field } } } }"""
RETRY = """mutation ($id: ID!) { runRetry(id: $id) { __typename ... on RunRetryPayload { run { id state } }
  ... on Refusal { userErrors { code message field } } } }"""
RETRY_ALL = """mutation ($where: RunWhere!) { runsRetry(where: $where) { __typename
  ... on RunsRetryPayload { count more } ... on Refusal { userErrors { code message field } } } }"""
PAUSE = """mutation ($what: RunSelection!, $reason: String!) { queuePause(what: $what, reason: $reason) {
  __typename ... on QueuePausePayload { paused } ... on Refusal { userErrors { code message field } } } }"""
RESUME = """mutation ($what: RunSelection!) { queueResume(what: $what) { __typename
  ... on QueueResumePayload { resumed } ... on Refusal { userErrors { code message field } } } }"""


@dataclass
class Bench:
    """A kind of run that goes a step further each time it is told to."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    wrong: bool = False
    refuses: bool = False

    async def perform(self, work: Work) -> dict[str, Any]:
        if self.refuses:
            raise Refused("EMPTY", "there is nothing to do")
        if self.wrong:
            raise RuntimeError("a telephone number nobody may read: 13800000000")
        await work.checkpoint(done=1, total=4, unit="steps", message="one of four")
        while not self.go_on.is_set():
            await work.checkpoint(done=1)
            await asyncio.sleep(0.1)
        async with work.step({"at": 4}, done=4, message="done"):
            pass
        return {"steps": 4}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    for overlap in Overlap:
        name = f"bench_{overlap.value.lower()}"
        monkeypatch.setitem(runs.kinds, name, Kind(name, made.perform, overlap=overlap, max_attempts=2))
    monkeypatch.setitem(
        runs.kinds, "bench", Kind("bench", made.perform, queue=RunQueue.REPORTS, max_attempts=2)
    )
    return made


async def asked(stage: Stage, kind: str = "bench", **options: Any) -> str:
    """Ask for a run as a product feature would; its global id."""
    run = await runs.enqueue(stage.house.admin, kind, **options)
    found = (await stage.owner.ask(RUNS, where={"kind": {"eq": kind}}))["runs"]["nodes"]
    from api.ids import global_id

    assert global_id("Run", run.id) in [each["id"] for each in found]
    return str(global_id("Run", run.id))


async def seen(stage: Stage, run_id: str, state: str) -> dict[str, Any]:
    """The run once it is in a state, as anybody may look."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            run: dict[str, Any] = (await stage[Role.ANALYST].ask(RUN, id=run_id))["run"]
            if run["state"] == state:
                return run
            await asyncio.sleep(0.01)


async def test_a_run_is_watched_from_its_queue_to_its_result(stage_at: Open, bench: Bench) -> None:
    async with stage_at(NOON) as stage:
        reports = {"queue": "REPORTS"}
        await stage.owner.do(PAUSE, what=reports, reason="month end")
        run_id = await asked(stage)
        await seen(stage, run_id, "QUEUED")
        told = await stage.owner.ask(QUEUES)
        queue = next(each for each in told["queues"] if each["name"] == "REPORTS")
        assert (queue["waiting"], queue["running"], queue["paused"]) == (1, 0, True)
        (pause,) = told["runPauses"]
        assert (pause["queue"], pause["kind"], pause["reason"]) == ("REPORTS", None, "month end")
        assert (await stage.owner.do(RESUME, what=reports))["resumed"] is True
        running = await seen(stage, run_id, "RUNNING")
        assert running["worker"].split(":")[1] == str(os.getpid())
        async with asyncio.timeout(WAIT_SECONDS):
            while not (progress := (await stage.owner.ask(RUN, id=run_id))["run"]["progress"])["done"]:
                await asyncio.sleep(0.01)
        assert (progress["total"], progress["unit"], progress["message"]) == (4, "steps", "one of four")
        assert progress["etaSeconds"] is not None
        bench.go_on.set()
        done = await seen(stage, run_id, "SUCCEEDED")
        assert done["result"] == [{"name": "steps", "value": "4"}]
        assert done["progress"]["etaSeconds"] == 0
        audit = await JournalLine.filter(workspace_id=stage.house.id, subject="queue").order_by("id")
        assert [line.name for line in audit] == ["queue.paused", "queue.resumed"]
        assert {line.actor for line in audit} == {pause["pausedBy"]}


async def test_a_run_is_cancelled_while_it_waits_and_while_it_runs(stage_at: Open, bench: Bench) -> None:
    async with stage_at(NOON) as stage:
        await stage.owner.do(PAUSE, what={"kind": "bench_allow"}, reason="")
        waiting = await asked(stage, "bench_allow")
        assert (await stage.owner.do(CANCEL, id=waiting))["run"]["state"] == "CANCELLED"
        running = await asked(stage)
        await seen(stage, running, "RUNNING")
        assert (await stage.owner.do(CANCEL, id=running))["run"]["state"] == "CANCELLING"
        await seen(stage, running, "CANCELLED")
        (reason,) = await stage.owner.refused(CANCEL, id=running)
        assert reason["code"] == "CLOSED"
        bench.go_on.set()
        assert (await stage.owner.do(RETRY, id=running))["run"]["id"] == running
        assert (await seen(stage, running, "SUCCEEDED"))["progress"]["done"] == 4


async def test_failures_are_read_and_retried_singly_and_by_filter(stage_at: Open, bench: Bench) -> None:
    async with stage_at(NOON) as stage:
        bench.wrong = True
        first = await asked(stage)
        retrying = await seen(stage, first, "RETRYING")
        assert "13800000000" not in str(retrying)
        await runs.Run.filter(kind="bench").update(run_at=timekeeping.machine_now())
        failed = await seen(stage, first, "FAILED")
        assert [(error["attempt"], error["code"]) for error in failed["errors"]] == [
            (1, "INTERNAL"),
            (2, "INTERNAL"),
        ]
        assert all(error["worker"] and error["at"] for error in failed["errors"])
        bench.wrong, bench.refuses = False, True
        more = [await asked(stage, "bench_allow") for _ in range(3)]
        for run_id in more:
            assert (await seen(stage, run_id, "FAILED"))["errorCode"] == "EMPTY"
        where = {"errorCode": {"eq": "EMPTY"}, "state": {"eq": "FAILED"}}
        assert (await stage.owner.ask(RUNS, where=where))["runs"]["totalCount"] == 3
        assert (
            await stage.owner.ask(RUNS, where={"queue": {"eq": "REPORTS"}, "kind": {"startsWith": "bench"}})
        )["runs"]["totalCount"] == 1
        bench.refuses = False
        bench.go_on.set()
        retried = await stage.owner.do(RETRY_ALL, where=where)
        assert (retried["count"], retried["more"]) == (3, False)
        for run_id in more:
            await seen(stage, run_id, "SUCCEEDED")
        await seen(stage, first, "FAILED")
        await stage.owner.do(RETRY, id=first)
        await seen(stage, first, "SUCCEEDED")
        (reason,) = await stage.owner.refused(RETRY, id=first)
        assert reason["code"] == "CONFLICT"


async def test_policies_of_overlap_are_seen_through_the_api(stage_at: Open, bench: Bench) -> None:
    async with stage_at(NOON) as stage:
        served: dict[Overlap, tuple[str, str, str]] = {}
        for overlap in Overlap:
            kind = f"bench_{overlap.value.lower()}"
            first = await asked(stage, kind, unique_key="k")
            await seen(stage, first, "RUNNING")
            second = await asked(stage, kind, unique_key="k")
            if overlap is Overlap.CANCEL_RUNNING:
                # Asked for before the second runs, the third would be served by it: both are right.
                await seen(stage, first, "CANCELLED")
                await seen(stage, second, "RUNNING")
            served[overlap] = (first, second, await asked(stage, kind, unique_key="k"))
        first, second, third = served[Overlap.SKIP]
        assert first == second == third
        first, second, third = served[Overlap.QUEUE_ONE]
        assert first != second == third
        await seen(stage, second, "QUEUED")
        first, second, third = served[Overlap.CANCEL_RUNNING]
        assert len({first, second, third}) == 3
        await seen(stage, second, "CANCELLED")
        assert len(set(served[Overlap.ALLOW])) == 3
        bench.go_on.set()
        for each in served.values():
            for run_id in set(each) - set(served[Overlap.CANCEL_RUNNING][:2]):
                await seen(stage, run_id, "SUCCEEDED")


async def test_a_run_asked_for_later_is_scheduled_until_then(stage_at: Open, bench: Bench) -> None:
    async with stage_at(NOON) as stage:
        bench.go_on.set()
        later = timekeeping.machine_now() + timedelta(hours=1)
        run_id = await asked(stage, run_at=later)
        await seen(stage, run_id, "SCHEDULED")
        await runs.Run.filter(kind="bench").update(run_at=timekeeping.machine_now())
        await seen(stage, run_id, "SUCCEEDED")


async def test_what_is_paused_or_unknown_is_refused_and_nothing_happens(stage_at: Open) -> None:
    async with stage_at(NOON) as stage:
        (reason,) = await stage.owner.refused(PAUSE, what={"kind": "no_such_kind"}, reason="")
        assert (reason["code"], reason["field"]) == ("INVALID", ["what", "kind"])
        assert (await stage.owner.ask(QUEUES))["runPauses"] == []
        assert await JournalLine.filter(workspace_id=stage.house.id, subject="queue").count() == 0
