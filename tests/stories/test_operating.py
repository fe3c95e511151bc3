"""What an operator does with real workers: looks at them, gives them queues, and stops them."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.servers import ROLE, Postgres, Valkey
from tests.servers.process import free_port
from tests.stories.processes import Process, ask, command, started

WAIT_SECONDS = 60
GRACE_SECONDS = 10
IMPORT = (
    "mutation ($file: ID!) { ordersImport(input: {fileId: $file}) { __typename "
    "... on OrdersImportPayload { run { id } } ... on Refusal { userErrors { message } } } }"
)
RUN = "query ($id: ID!) { run(id: $id) { state attempt progress { done } result { name value } } }"
ORDERS = 60_000


@pytest.fixture
def database(postgres_server: Postgres, postgres_template: str) -> Iterator[str]:
    name = f"operating_{os.getpid()}"
    yield postgres_server.create_database(name, template=postgres_template, role=ROLE)
    postgres_server.drop_database(name)


def figure(url: str, name: str) -> float:
    text = httpx2.get(f"{url}/metrics", timeout=10).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    assert found, f"no {name} in:\n{text}"
    return float(found[1])


def test_a_worker_answers_operators_where_a_port_is_set(database: str, tmp_path: Path) -> None:
    port = free_port()
    with (
        Valkey() as valkey,
        started(
            tmp_path / "workers.log",
            "worker",
            "--processes",
            "2",
            DATABASE_URL=database,
            REDIS_URL=valkey.url,
            CARELINE_METRICS_PORT=str(port),
        ) as workers,
    ):
        until = time.monotonic() + WAIT_SECONDS
        while len(urls := [str(e["url"]) for e in workers.events() if e["event"] == "answering"]) < 2:
            assert time.monotonic() < until, workers.log.read_text()
            time.sleep(0.02)
        assert len(set(urls)) == 2
        assert f"http://127.0.0.1:{port}" in urls
        for url in urls:
            assert httpx2.get(f"{url}/health/live", timeout=10).json() == {"status": "ok"}
            assert httpx2.get(f"{url}/health/ready", timeout=10).json() == {"status": "ok"}
            assert figure(url, "careline_database_up") == 1
            assert figure(url, "careline_clock_lag_seconds") < 10
            assert httpx2.post(f"{url}/graphql", timeout=10).status_code == 404
        assert sum(figure(url, "careline_leader") for url in urls) == 1
        valkey.kill9()
        until = time.monotonic() + WAIT_SECONDS
        while (told := httpx2.get(f"{urls[0]}/health/ready", timeout=10)).json() == {"status": "ok"}:
            assert time.monotonic() < until
        assert (told.status_code, set(told.json()["warnings"])) == (200, {"broker"})


def test_a_worker_takes_from_the_queues_that_it_is_given_only(database: str, tmp_path: Path) -> None:
    key = json.loads(command("workspace", "Town", DATABASE_URL=database))["apiKey"]
    with (
        started(
            tmp_path / "worker.log", "worker", "--queues", "reports,timers", DATABASE_URL=database
        ) as worker,
        Valkey() as valkey,
        started(
            tmp_path / "api.log", "serve", DATABASE_URL=database, REDIS_URL=valkey.url, CARELINE_PORT="0"
        ) as api,
    ):
        assert worker.wait_for("working")["queues"] == ["reports", "timers"]
        url = str(api.wait_for("serving")["url"])
        asked = ask(
            url,
            key,
            "mutation { left: segmentationRecompute { ... on SegmentationRecomputePayload { run { id queue } } } "
            "done: kpiSnapshot { ... on KpiSnapshotPayload { run { id queue } } } }",
        )
        left, done = asked["left"]["run"], asked["done"]["run"]  # type: ignore[index]
        assert (left["queue"], done["queue"]) == ("RECOMPUTE", "REPORTS")
        until = time.monotonic() + WAIT_SECONDS
        while ask(url, key, RUN, {"id": done["id"]})["run"]["state"] != "SUCCEEDED":  # type: ignore[index]
            assert time.monotonic() < until, worker.log.read_text()
            time.sleep(0.05)
        assert ask(url, key, RUN, {"id": left["id"]})["run"]["state"] == "QUEUED"  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"queues": "timers,reprots"},
            "no queue is called reprots; there are timers, default, recompute, reports",
        ),
        ({"queues": ","}, "names no queue"),
        ({"environment": "urgent"}, "no queue is called urgent"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_queue_that_there_is_not_is_refused_in_one_line(
    tmp_path: Path, given: dict[str, str], told: str, processes: str
) -> None:
    options = ["--queues", given["queues"]] if "queues" in given else []
    environment = {"CARELINE_WORKER_QUEUES": given["environment"]} if "environment" in given else {}
    nowhere = "postgres://nobody@127.0.0.1:1/none"
    log = tmp_path / "refused.log"
    with started(
        log, "worker", "--processes", processes, *options, DATABASE_URL=nowhere, **environment
    ) as process:
        assert process.wait() == 1
    assert told in log.read_text()
    assert len(log.read_text().splitlines()) == 1


def long_run(url: str, key: str) -> str:
    """Start an import that takes a worker longer than it is given to stop; its run."""
    rows = "".join(
        f"O-{n},C-{n % 9000},2025-0{n % 8 + 1}-{n % 27 + 1:02},{n % 900 + 1}.00\n" for n in range(ORDERS)
    )
    answer = httpx2.post(
        f"{url}/files?name=orders.csv",
        content="order_id,customer_id,ordered_at,amount\n" + rows,
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    done = ask(url, key, IMPORT, {"file": answer.json()["fileId"]})["ordersImport"]
    return str(done["run"]["id"])  # type: ignore[index]


def test_a_worker_told_to_stop_gives_back_what_it_has_within_ten_seconds(
    database: str, tmp_path: Path
) -> None:
    key = json.loads(command("workspace", "Town", DATABASE_URL=database))["apiKey"]
    with (
        Valkey() as valkey,
        started(
            tmp_path / "api.log", "serve", DATABASE_URL=database, REDIS_URL=valkey.url, CARELINE_PORT="0"
        ) as api,
    ):
        url = str(api.wait_for("serving")["url"])
        run_id = long_run(url, key)

        def run() -> dict[str, object]:
            return ask(url, key, RUN, {"id": run_id})["run"]  # type: ignore[return-value]

        def worker(name: str) -> Process:
            return Process(tmp_path / name, "worker", DATABASE_URL=database, REDIS_URL=valkey.url)

        first = worker("first.log")
        until = time.monotonic() + WAIT_SECONDS
        while not run()["progress"]["done"]:  # type: ignore[index]
            assert time.monotonic() < until, first.log.read_text()
            time.sleep(0.02)
        began = time.monotonic()
        assert first.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began <= GRACE_SECONDS
        given_back = run()
        assert (given_back["state"], given_back["attempt"]) == ("QUEUED", 0), given_back
        assert "Traceback" not in first.log.read_text()

        second = worker("second.log")
        until = time.monotonic() + WAIT_SECONDS
        while (done := run())["state"] != "SUCCEEDED":
            assert time.monotonic() < until, (done, second.log.read_text())
            time.sleep(0.1)
        assert second.stop() == 0
        figures = {entry["name"]: entry["value"] for entry in done["result"]}  # type: ignore[attr-defined]
        assert figures["rows"] == str(ORDERS)
        assert figures.get("rejected", "0") == "0"
