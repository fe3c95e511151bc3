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
from pathlib import Path

import pytest

from tests.servers import Postgres, Valkey
from tests.stories.processes import Process, command, started
from tests.stories.siege import CLOCK_AT, KINDS, Caller, Rows, Siege, Teller, sheet, tell, verify

EMBEDDED_KILLS, WORKER_KILLS = 5, 2
"""Within each kind of run, at least."""
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
    assert not siege.goes_on(), siege.wanted
    return process


def test_an_embedded_server_killed_at_random_moments_does_everything_once(tmp_path: Path) -> None:
    path = tmp_path / "careline.db"
    url = f"sqlite:///{path}"
    key = made_workspace(url)
    with started(tmp_path / "first.log", "serve", CARELINE_PORT="0", DATABASE_URL=url) as first:
        served = str(first.wait_for("serving")["url"])
        assert first.stop() == 0

    def look(statement: str) -> Rows:
        # Opened for each look, and only to read: what a dead process left is for the next one to mend.
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()

    port = served.rpartition(":")[2]
    with anew(tmp_path, "serve", CARELINE_PORT=port, DATABASE_URL=url) as start:
        caller = Caller(served, key)
        siege = Siege(start, look, Counter(dict.fromkeys(KINDS, EMBEDDED_KILLS)), 0.25, seeded())
        assert besiege(siege, caller).stop() == 0
    assert siege.kills >= 20
    asyncio.run(verify(url, caller, siege, exactly=True))


def test_a_worker_killed_at_random_moments_does_everything_once(
    tmp_path: Path, postgres_server: Postgres, postgres_template: str, valkey_server: Valkey
) -> None:
    name = "careline_kill"
    url = postgres_server.create_database(name, template=postgres_template)
    key = made_workspace(url)
    shared = {"DATABASE_URL": url, "REDIS_URL": valkey_server.url, "CARELINE_LEASE_SECONDS": "1"}

    def look(statement: str) -> Rows:
        told = postgres_server.sql(statement, name)
        return [
            tuple(int(cell) if cell.isdigit() else cell for cell in line.split("|"))
            for line in told.splitlines()
        ]

    with (
        started(tmp_path / "api.log", "serve", CARELINE_PORT="0", **shared) as api,
        anew(tmp_path, "worker", **shared) as start,
    ):
        caller = Caller(str(api.wait_for("serving")["url"]), key)
        siege = Siege(start, look, Counter(dict.fromkeys(KINDS, WORKER_KILLS)), 0.2, seeded())
        assert besiege(siege, caller).stop() == 0
        assert api.stop() == 0
    asyncio.run(verify(url, caller, siege, exactly=False))
    postgres_server.drop_database(name)
