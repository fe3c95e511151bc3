"""The same house as separate processes: one API, two workers, PostgreSQL, Redis, and real npm clients."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import ROLE, Postgres, Valkey
from tests.servers.node import Node, node
from tests.stories.documents import RECOMPUTE, TASK_CREATE
from tests.stories.processes import Process, ask, command, started

WAIT_SECONDS = 60
SUBSCRIPTION = (
    "subscription ($after: String) { taskChanged(after: $after) { cursor change task { id title state } } }"
)


@dataclass
class Town:
    """A running installation: its URL, the owner's key, its processes, and the servers behind it."""

    url: str
    key: str
    api: Process | None
    workers: list[Process]
    valkey: Valkey | None

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        return ask(self.url, self.key, document, variables)

    def do(self, document: str, **variables: Any) -> dict[str, Any]:
        (payload,) = self.ask(document, **variables).values()
        assert payload["__typename"] != "Refusal", payload
        return dict(payload)

    def finish(self, run_id: str) -> dict[str, Any]:
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            run = self.ask(
                "query ($id: ID!) { run(id: $id) { state worker attempt errors { code } } }", id=run_id
            )["run"]
            if run["state"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                assert run["state"] == "SUCCEEDED", run
                return dict(run)
            time.sleep(0.05)
        raise AssertionError(f"run {run_id} did not end")


def made_workspace(database_url: str, *options: str) -> str:
    told = json.loads(command("workspace", "Town", *options, DATABASE_URL=database_url))
    return str(told["apiKey"])


@pytest.fixture(params=["embedded", "distributed"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    if request.param == "embedded":
        url = f"sqlite:///{tmp_path}/careline.db"
        key = made_workspace(url)
        with started(tmp_path / "api.log", "serve", DATABASE_URL=url, CARELINE_PORT="0") as api:
            yield Town(str(api.wait_for("serving")["url"]), key, api, [api], None)
            assert api.stop() == 0
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    request.getfixturevalue("postgres_template")
    name = f"town_{tmp_path.name[-20:].replace('-', '_')}"
    url = server.create_database(name, template="careline_template", role=ROLE)
    with Valkey() as valkey:
        key = made_workspace(url)
        shared = {"DATABASE_URL": url, "REDIS_URL": valkey.url, "CARELINE_LEASE_SECONDS": "3"}
        with (
            started(tmp_path / "api.log", "serve", CARELINE_PORT="0", **shared) as api,
            started(tmp_path / "worker-1.log", "worker", **shared) as one,
            started(tmp_path / "worker-2.log", "worker", **shared) as two,
        ):
            told = api.wait_for("serving")
            one.wait_for("working")
            two.wait_for("working")
            yield Town(str(told["url"]), key, api, [one, two], valkey)
            assert [process.stop() for process in (api, one, two)] == [0, 0, 0]
    server.drop_database(name)


def opened_task(town: Town, title: str) -> str:
    customer = town.do(
        'mutation { customerUpsert(input: {externalId: "C1"}) { __typename '
        "... on CustomerUpsertPayload { customer { id } } ... on Refusal { userErrors { message } } } }"
    )["customer"]["id"]
    made = town.do(TASK_CREATE, input={"customerId": customer, "title": title})
    return str(made["task"]["id"])


def complete(town: Town, task_id: str) -> float:
    town.do(
        "mutation ($id: ID!) { taskComplete(id: $id, input: {result: REACHED}) "
        "{ __typename ... on Refusal { userErrors { message } } } }",
        id=task_id,
    )
    return time.monotonic()


@pytest.fixture(scope="session")
def javascript() -> Node:
    return node()


@pytest.mark.parametrize("script", ["ws_subscribe.mjs", "sse_subscribe.mjs"])
def test_a_real_client_sees_a_task_completed_by_another(town: Town, javascript: Node, script: str) -> None:
    task_id = opened_task(town, "Call")
    argument = {
        "url": f"{town.url}/graphql"
        if script.startswith("sse")
        else f"{town.url}/graphql".replace("http", "ws"),
        "apiKey": town.key,
        "query": SUBSCRIPTION,
        "count": 1,
        "timeoutMs": 20_000,
    }
    running = javascript.start(script, argument)
    running.ready()
    done = complete(town, task_id)
    (line,) = running.finish()
    assert time.monotonic() - done < 5  # the client's own exit included; the latency itself is benched
    event = json.loads(line)
    change = event.get("data", event)["taskChanged"]
    assert (change["change"], change["task"]["id"], change["task"]["state"]) == (
        "task.completed",
        task_id,
        "DONE",
    )

    # What came after a cursor is replayed to whoever comes back later.
    later = opened_task(town, "Call again")
    again = javascript.run(script, {**argument, "variables": {"after": change["cursor"]}})
    replayed = json.loads(again[-1])
    replayed = replayed.get("data", replayed)["taskChanged"]
    assert (replayed["change"], replayed["task"]["id"]) == ("task.opened", later)


def test_escalation_recompute_and_report_run_in_a_worker_process(town: Town) -> None:
    pids = {process.pid for process in town.workers}
    town.do(
        'mutation { leadRecord(input: {externalId: "L1", customerExternalId: "C9", source: WEBSITE, consent: true, '
        'acquiredAt: "2025-03-03T10:15:00+08:00"}) { __typename ... on Refusal { userErrors { message } } } }'
    )
    recompute = town.finish(town.do(RECOMPUTE)["run"]["id"])
    report = town.finish(
        town.do(
            "mutation { reportBuild { __typename ... on ReportBuildPayload { run { id } } "
            "... on Refusal { userErrors { message } } } }"
        )["run"]["id"]
    )
    assert int(recompute["worker"].split(":")[1]) in pids
    assert int(report["worker"].split(":")[1]) in pids
    assert (
        town.ask("{ reports(first: 1) { nodes { processId } } }")["reports"]["nodes"][0]["processId"] in pids
    )
    until = time.monotonic() + WAIT_SECONDS
    while True:
        (task,) = town.ask(
            "{ tasks(where: {kind: {eq: FIRST_TOUCH}}) { nodes { escalations { rung processId } } } }"
        )["tasks"]["nodes"]
        if len(task["escalations"]) == 2:  # long overdue: both rungs are climbed, each once
            break
        assert time.monotonic() < until, task
        time.sleep(0.05)
    assert [e["rung"] for e in task["escalations"]] == [1, 2]
    assert {e["processId"] for e in task["escalations"]} <= pids
    assert town.api is not None
    assert town.api.pid in pids or town.api.pid not in {e["processId"] for e in task["escalations"]}


def test_work_goes_on_without_redis_and_after_its_loss(town: Town) -> None:
    if town.valkey is None:  # embedded: there is none to lose
        assert town.finish(town.do(RECOMPUTE)["run"]["id"])["attempt"] == 1
        return
    town.valkey.flush()
    town.finish(town.do(RECOMPUTE)["run"]["id"])
    town.valkey.kill9()
    town.finish(town.do(RECOMPUTE)["run"]["id"])


@pytest.mark.usefixtures("postgres_template")
def test_a_server_that_cannot_reach_its_database_or_redis_says_which(
    tmp_path: Path, postgres_server: Postgres
) -> None:
    for environment, expected in (
        (
            {"DATABASE_URL": "postgres://nobody:hunter2@127.0.0.1:1/none"},
            "cannot open the database postgres://nobody:",
        ),
        (
            {
                "DATABASE_URL": postgres_server.url_of("careline_template"),
                "REDIS_URL": "redis://127.0.0.1:1/0",
            },
            "cannot reach Redis at 127.0.0.1:1",
        ),
        (
            {"DATABASE_URL": "sqlite:///x.db", "REDIS_URL": "redis://127.0.0.1:1/0"},
            "REDIS_URL needs PostgreSQL",
        ),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"CARELINE_PORT": "many"}, "CARELINE_PORT"),
    ):
        log = tmp_path / "refused.log"
        log.unlink(missing_ok=True)
        with started(log, "serve", cwd=str(tmp_path), **{"CARELINE_PORT": "0", **environment}) as process:
            assert process.wait() == 1
        told = log.read_text()
        assert expected in told
        assert "hunter2" not in told
        assert "Traceback" not in told


def test_a_second_process_on_one_embedded_database_refuses_in_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/careline.db"
    with started(tmp_path / "first.log", "serve", DATABASE_URL=url, CARELINE_PORT="0") as first:
        first.wait_for("serving")
        with started(tmp_path / "second.log", "serve", DATABASE_URL=url, CARELINE_PORT="0") as second:
            assert second.wait() == 1
        assert f"another Careline process (pid {first.pid})" in (tmp_path / "second.log").read_text()


def test_a_server_with_open_streams_stops_soon_when_asked(town: Town) -> None:
    with httpx2.stream(
        "POST",
        f"{town.url}/graphql",
        json={"query": "subscription { taskChanged { change } }"},
        headers={"Authorization": f"Bearer {town.key}", "Accept": "text/event-stream"},
        timeout=30,
    ) as stream:
        assert stream.status_code == 200
        assert town.api is not None
        began = time.monotonic()
        assert town.api.stop() == 0
        assert time.monotonic() - began < 15
