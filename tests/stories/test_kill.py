"""`kill -9` at random moments of imports, recomputes, planning and launches: nothing is lost or done twice."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from tests.servers import ROLE, Postgres, Valkey
from tests.stories.processes import Process, command, started
from tests.stories.siege import CLOCK_AT, ELSEWHERE, KINDS, Caller, Rows, Siege, Teller, sheet, tell, verify

EMBEDDED_KILLS = {**dict.fromkeys(KINDS, 4), ELSEWHERE: 4}
WORKER_KILLS = {**dict.fromkeys(KINDS, 1), "cadence_plan": 2, "campaign_launch": 2}
"""How often to kill within each kind of run; runs that end sooner than the kill come on top."""
pytestmark = pytest.mark.slow


def made_workspace(url: str) -> str:
    told = command("workspace", "Town", "--sandbox-at", CLOCK_AT, DATABASE_URL=url)
    return str(json.loads(told)["apiKey"])


def seeded() -> random.Random:
    """Chance, by a fresh seed that a failure tells; set CARELINE_KILL_SEED to have the same again."""
    seed = int(os.environ.get("CARELINE_KILL_SEED") or secrets.randbelow(10**6))
    print(f"CARELINE_KILL_SEED={seed}")
    return random.Random(seed)


@contextlib.contextmanager
def anew(folder: Path, *arguments: str, **environment: str) -> Iterator[Callable[[], Process]]:
    """Starts a process at each call; whatever lives at the end is ended."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def start() -> Process:
            log = folder / f"{arguments[0]}-{next(numbers)}.log"
            return stack.enter_context(started(log, *arguments, **environment))

        yield start


def besiege(siege: Siege, caller: Caller) -> Process:
    """The whole story under fire, then a recompute and a planning that change nothing."""
    orders = sheet()
    process = siege.lay(Teller(lambda: tell(caller, orders, siege.goes_on)))
    siege.settle()
    again = caller.finish(caller.do("segmentationRecompute", "again")["run"]["id"])
    assert again == {"customers": "2000", "changed": "0"}
    siege.settle()
    planned = caller.finish(caller.do("visitsPlan", "visits again")["run"]["id"])
    assert planned == {"opened": "0", "cancelled": "0"}
    siege.settle()
    print(siege.report(), f"; {caller.unheard} requests unheard and sent again")
    assert not any(siege.wanted[kind] for kind in KINDS), siege.wanted
    return process


def embedded(path: Path) -> tuple[str, str, Callable[[str], Rows]]:
    """A new embedded database: its URL, its owner's key, and a look into it from outside.

    It is opened for each look, and only to read: what a dead process left is for the next one to mend.
    """
    url = f"sqlite:///{path}"

    def look(statement: str) -> Rows:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()

    return url, made_workspace(url), look


def rehearsal(folder: Path) -> tuple[dict[str, float], str]:
    """Tell the story undisturbed: most of the time that each kind of run takes here, and the port used."""
    url, key, look = embedded(folder / "rehearsal.db")
    with started(folder / "rehearsal.log", "serve", CARELINE_PORT="0", DATABASE_URL=url) as process:
        served = str(process.wait_for("serving")["url"])
        tell(Caller(served, key), sheet(), lambda: False)
        assert process.stop() == 0
    reach = {}
    for kind, began, ended in look("SELECT kind, started_at, finished_at FROM runs ORDER BY id DESC"):
        took = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
        reach[kind] = 0.7 * took.total_seconds()
    return reach, served.rpartition(":")[2]


def test_an_embedded_server_killed_at_random_moments_does_everything_once(tmp_path: Path) -> None:
    reach, port = rehearsal(tmp_path)
    url, key, look = embedded(tmp_path / "careline.db")
    with anew(tmp_path, "serve", CARELINE_PORT=port, DATABASE_URL=url) as start:
        caller = Caller(f"http://127.0.0.1:{port}", key)
        siege = Siege(start, look, Counter(EMBEDDED_KILLS), reach, seeded())
        assert besiege(siege, caller).stop() == 0
    assert siege.kills >= 4 * len(KINDS)
    asyncio.run(verify(url, caller, siege, exactly=True))


@contextlib.contextmanager
def looking(url: str) -> Iterator[Callable[[str], Rows]]:
    """A look into a PostgreSQL database, over one connection of its own."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        yield lambda statement: [tuple(row) for row in runner.run(connection.fetch(statement))]
        runner.run(connection.close())


def test_a_worker_killed_at_random_moments_does_everything_once(
    tmp_path: Path, postgres_server: Postgres, postgres_template: str, valkey_server: Valkey
) -> None:
    name = "careline_kill"
    url = postgres_server.create_database(name, template=postgres_template, role=ROLE)
    key = made_workspace(url)
    shared = {"DATABASE_URL": url, "REDIS_URL": valkey_server.url, "CARELINE_LEASE_SECONDS": "1"}

    with (
        started(tmp_path / "api.log", "serve", CARELINE_PORT="0", **shared) as api,
        anew(tmp_path, "worker", **shared) as start,
        looking(postgres_server.url_of(name)) as look,
    ):
        reach = dict.fromkeys(KINDS, 0.15)
        caller = Caller(str(api.wait_for("serving")["url"]), key)
        siege = Siege(start, look, Counter(WORKER_KILLS), reach, seeded())
        assert besiege(siege, caller).stop() == 0
        assert api.stop() == 0
    asyncio.run(verify(url, caller, siege, exactly=False))
    postgres_server.drop_database(name)
