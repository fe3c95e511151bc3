"""The drill of docs/operations.md: a copy taken under load, everything lost, restored, and the work goes on."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import Postgres
from tests.servers.postgres import installation
from tests.stories.processes import ROOT, ask, command, started
from tests.stories.test_operating import IMPORT, RUN
from tests.stories.test_processes import made_workspace

WAIT_SECONDS = 90
ORDERS = 30_000
COUNT = "{ customers(first: 1) { totalCount } }"


FEED = "query ($after: String) { feed(after: $after) { head } }"
TASK = """mutation ($customer: ID!) { taskCreate(input: {customerId: $customer, title: "Call"}) {
  ... on TaskCreatePayload { task { id } } } }"""
CUSTOMER = """mutation ($name: String!) { customerUpsert(input: {externalId: $name}) {
  ... on CustomerUpsertPayload { customer { id } } } }"""


def _head_after(url: str, key: str, name: str) -> str:
    """Where the feed stands once something has happened in it."""

    def head() -> str:
        asked: Any = ask(url, key, FEED)
        return str(asked["feed"]["head"])

    before = head()
    made: Any = ask(url, key, CUSTOMER, {"name": name})
    ask(url, key, TASK, {"customer": made["customerUpsert"]["customer"]["id"]})
    until = time.monotonic() + WAIT_SECONDS
    while (now := head()) == before:
        assert time.monotonic() < until
        time.sleep(0.02)
    return now


@dataclass
class Ground:
    """Where a database stands, and where another is to stand after it is lost."""

    url: str
    new_url: str
    server: Postgres | None

    def lose(self) -> None:
        if self.server is None:
            path = Path(self.url.removeprefix("sqlite:///"))
            for part in path.parent.glob(f"{path.name}*"):
                part.unlink()
        else:
            self.server.drop_database(self.url.rpartition("/")[2])


@pytest.fixture(params=["sqlite", "postgres"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    if request.param == "sqlite":
        yield Ground(f"sqlite:///{tmp_path}/careline.db", f"sqlite:///{tmp_path}/restored.db", None)
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    names = [f"drill_{os.getpid()}", f"drilled_{os.getpid()}"]
    urls = [server.create_database(name) for name in names]
    command("migrate", DATABASE_URL=urls[0])
    yield Ground(urls[0], urls[1], server)
    for name in names:
        server.drop_database(name)


def script(name: str, file: Path, url: str) -> subprocess.CompletedProcess[str]:
    path = f"{installation().programs}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(ROOT / "deploy" / name), str(file)],
        env={**os.environ, "PATH": path, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )


def done(name: str, file: Path, url: str) -> None:
    ended = script(name, file, url)
    assert ended.returncode == 0, ended.stderr


def test_a_copy_taken_under_load_is_restored_and_what_was_under_way_goes_on(
    ground: Ground, tmp_path: Path
) -> None:
    copy = tmp_path / "careline.backup"
    shared = {"CARELINE_PORT": "0", "CARELINE_LEASE_SECONDS": "3"}
    key = made_workspace(ground.url)
    with started(tmp_path / "before.log", "serve", DATABASE_URL=ground.url, **shared) as before:
        url = str(before.wait_for("serving")["url"])
        rows = "".join(f"O-{n},C-{n % 5000},2025-03-{n % 27 + 1:02},1,5.00,CNY\n" for n in range(ORDERS))
        answer = httpx2.post(
            f"{url}/files?name=orders.csv",
            content=f"order_id,customer_id,ordered_at,quantity,amount,currency\n{rows}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )
        asked: Any = ask(url, key, IMPORT, {"file": answer.json()["fileId"]})
        run_id = asked["ordersImport"]["run"]["id"]

        def run(url: str) -> dict[str, Any]:
            found: Any = ask(url, key, RUN, {"id": run_id})["run"]
            return dict(found)

        until = time.monotonic() + WAIT_SECONDS
        while not run(url)["progress"]["done"]:
            assert time.monotonic() < until
            time.sleep(0.02)
        done("backup.sh", copy, ground.url)
        assert copy.stat().st_mode & 0o077 == 0  # it holds everybody's data
        lost = _head_after(url, key, "Mei")
        before.kill9()
    ground.lose()

    done("restore.sh", copy, ground.new_url)
    with started(tmp_path / "after.log", "serve", DATABASE_URL=ground.new_url, **shared) as after:
        url = str(after.wait_for("serving")["url"])
        first = run(url)
        assert first["progress"]["done"] > 0  # the copy is of the midst of it
        until = time.monotonic() + WAIT_SECONDS
        while (last := run(url))["state"] != "SUCCEEDED":
            assert time.monotonic() < until, last
            time.sleep(0.1)
        figures = {entry["name"]: entry["value"] for entry in last["result"]}
        assert figures["rows"] == str(ORDERS)
        customers: Any = ask(url, key, COUNT)
        assert customers["customers"]["totalCount"] == 5000
        # The feed is past the place by now, and yet it is another: whoever followed there is told.
        for name in ("Lan", "Yun"):
            _head_after(url, key, name)
        answer = httpx2.post(
            f"{url}/graphql",
            json={"query": FEED, "variables": {"after": lost}},
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.json()["errors"][0]["extensions"]["code"] == "RESYNC_REQUIRED"
        assert after.stop() == 0

    over = script("restore.sh", copy, ground.new_url)
    assert over.returncode == 1  # never over what is there
    assert "restore: " in over.stderr


def test_a_copy_is_never_written_over_another(ground: Ground, tmp_path: Path) -> None:
    copy = tmp_path / "careline.backup"
    copy.write_text("yesterday's")
    ended = script("backup.sh", copy, ground.url)
    assert (ended.returncode, copy.read_text()) == (1, "yesterday's")
    assert "is there already" in ended.stderr


def test_half_a_copy_is_not_restored(ground: Ground, tmp_path: Path) -> None:
    copy = tmp_path / "careline.backup"
    made_workspace(ground.url)
    done("backup.sh", copy, ground.url)
    copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    assert script("restore.sh", copy, ground.new_url).returncode != 0
    if ground.server is None:
        assert not Path(ground.new_url.removeprefix("sqlite:///")).exists()
    else:
        name = ground.new_url.rpartition("/")[2]
        assert ground.server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", name) == "0"
