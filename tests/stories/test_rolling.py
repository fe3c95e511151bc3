"""Two versions side by side for a while: no client sees an error while the next one takes over."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import ROLE, Postgres
from tests.stories.documents import RECOMPUTE
from tests.stories.processes import ask, command, started
from tests.stories.test_processes import made_workspace

NEWER = "tests.stories.newer"
UPSERT = (
    "mutation ($id: String!, $key: String!) { customerUpsert(input: {externalId: $id}, idempotencyKey: $key) "
    "{ __typename ... on CustomerUpsertPayload { customer { id } } ... on Refusal { userErrors { message } } } }"
)
OPEN = (
    'mutation ($id: ID!) { taskCreate(input: {customerId: $id, title: "Call"}) '
    "{ __typename ... on TaskCreatePayload { task { id } } ... on Refusal { userErrors { message } } } }"
)
SEEN = "{ customers(first: 5) { totalCount nodes { externalId } } tasks(first: 5) { nodes { title } } }"
RUNS = "{ runs(first: 50) { nodes { state kind } } }"


class Clients:
    """Three who never stop asking and changing, each over whichever servers there are."""

    def __init__(self, key: str, *urls: str) -> None:
        self.key = key
        self.urls = list(urls)
        self.errors: list[Any] = []
        self.made = [0, 0, 0]
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(n,)) for n in range(3)]

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(60)

    def _go_on(self, n: int) -> None:
        with httpx2.Client(headers={"Authorization": f"Bearer {self.key}"}, timeout=30) as client:
            while not self.stop.is_set():
                name = f"C{n}-{self.made[n]}"
                try:
                    customer = self._say(client, UPSERT, id=name, key=name)["customer"]["id"]
                    self._say(client, OPEN, id=customer)
                    self._say(client, SEEN)
                    if self.made[n] == 3:
                        self._say(client, RECOMPUTE)
                except Exception as error:
                    self.errors.append((name, error))
                    return
                self.made[n] += 1

    def _say(self, client: httpx2.Client, document: str, **variables: Any) -> dict[str, Any]:
        url = self.urls[sum(self.made) % len(self.urls)]
        answer = client.post(f"{url}/graphql", json={"query": document, "variables": variables})
        body = answer.json()
        assert answer.status_code == 200, body
        assert "errors" not in body, body
        first = next(iter(body["data"].values()))
        assert first.get("__typename") != "Refusal", body
        return dict(first)

    def go_on(self, more: int = 3) -> None:
        """Wait until each has done some more."""
        before, until = list(self.made), time.monotonic() + 60
        while any(now < was + more for now, was in zip(self.made, before, strict=True)):
            assert not self.errors, self.errors
            assert time.monotonic() < until, "they wait"
            time.sleep(0.02)


@pytest.fixture
def databases(postgres_server: Postgres, postgres_template: str) -> Iterator[tuple[str, str]]:
    """A database of this version: its address for who serves, and for who owns it."""
    name = f"rolling_{os.getpid()}"
    yield (
        postgres_server.create_database(name, template=postgres_template, role=ROLE),
        postgres_server.url_of(name),
    )
    postgres_server.drop_database(name)


def test_the_next_version_takes_over_and_no_client_sees_an_error(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    database, owned = databases
    key = made_workspace(database)
    here = {"DATABASE_URL": database}
    with (
        started(tmp_path / "old.log", "serve", CARELINE_PORT="0", **here) as old,
        started(tmp_path / "old-worker.log", "worker", **here) as old_worker,
    ):
        old_worker.wait_for("working")
        with Clients(key, str(old.wait_for("serving")["url"])) as clients:
            clients.go_on()
            with started(
                tmp_path / "migrate.log", "migrate", "--grant-to", ROLE, module=NEWER, DATABASE_URL=owned
            ) as migrating:
                assert migrating.wait() == 0, migrating.log.read_text()
            clients.go_on()
            with (
                started(tmp_path / "new.log", "serve", module=NEWER, CARELINE_PORT="0", **here) as new,
                started(tmp_path / "new-worker.log", "worker", module=NEWER, **here) as new_worker,
            ):
                clients.urls.append(str(new.wait_for("serving")["url"]))
                new_worker.wait_for("working")
                clients.go_on()
                del clients.urls[0]
                clients.go_on(1)  # whoever was still asking the old one has its answer
                assert (old_worker.stop(), old.stop()) == (0, 0)
                clients.go_on()
                clients.stop.set()
                made = sum(clients.made)
                told: Any = ask(clients.urls[0], key, "{ customers(first: 1) { totalCount } }")
                assert made <= told["customers"]["totalCount"] <= made + 3
                _wait_for_the_runs(clients.urls[0], key)
                assert (new_worker.stop(), new.stop()) == (0, 0)
    assert clients.errors == []


def _wait_for_the_runs(url: str, key: str) -> None:
    until = time.monotonic() + 60
    while True:
        told: Any = ask(url, key, RUNS)
        states = {run["state"] for run in told["runs"]["nodes"]}
        if states == {"SUCCEEDED"}:
            return
        assert states <= {"SUCCEEDED", "QUEUED", "RUNNING"}, states
        assert time.monotonic() < until, states
        time.sleep(0.05)


def test_a_version_older_than_the_schema_says_so_in_one_line_and_works(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    """One may go back a version, and a process of the old one may have to be started again meanwhile."""
    database, owned = databases
    key = made_workspace(database)
    with started(tmp_path / "m.log", "migrate", "--grant-to", ROLE, module=NEWER, DATABASE_URL=owned) as m:
        assert m.wait() == 0, m.log.read_text()
    with (
        started(tmp_path / "api.log", "serve", DATABASE_URL=database, CARELINE_PORT="0") as api,
        started(tmp_path / "worker.log", "worker", DATABASE_URL=database) as worker,
    ):
        url = str(api.wait_for("serving")["url"])
        worker.wait_for("working")
        ask(url, key, RECOMPUTE)
        _wait_for_the_runs(url, key)
        for process in (api, worker):
            (line,) = [event for event in process.events() if event["event"] == "schema_newer"]
            assert (line["level"], line["steps"]) == ("warning", ["0999_newer"])
    assert command("migrate", DATABASE_URL=owned).strip().endswith("the schema is up to date")


def test_a_version_newer_than_the_schema_refuses_to_start(databases: tuple[str, str], tmp_path: Path) -> None:
    for role in ("serve", "worker"):
        log = tmp_path / f"{role}.log"
        with started(log, role, module=NEWER, DATABASE_URL=databases[0], CARELINE_PORT="0") as process:
            assert process.wait() == 1
        assert log.read_text() == ("careline: the database lacks 0999_newer: run `careline migrate` first\n")
