"""A whole Careline to be broken: processes with a proxy before each, and before each server behind them."""

import asyncio
import contextlib
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from domain.db.embedded import file_of
from tests.faults.probe import TABLE
from tests.faults.proxy import Proxy
from tests.servers import Postgres, Valkey
from tests.servers.process import free_port
from tests.stories.processes import Process, command

LEASE_SECONDS = 3
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
Rows = list[tuple[Any, ...]]
PATIENCE_SECONDS = 90


@dataclass
class Place:
    """One process of the town, started again on the same port as often as it takes."""

    kind: str
    folder: Path
    environment: dict[str, str]
    process: Process | None = None
    lives: int = 0
    front: Proxy | None = None
    """What clients speak to, where it serves."""

    def start(self) -> None:
        self.lives += 1
        log = self.folder / f"{self.kind}-{id(self) % 997}-{self.lives}.log"
        told = {"CARELINE_FAULTS_CLOCK": str(self._clock), "module": "tests.faults.entry"}
        self.process = Process(log, self.kind, **self.environment, **told)

    @property
    def _clock(self) -> Path:
        return self.folder / f"{self.kind}-{id(self) % 997}.clock"

    def turn_clock(self, seconds: float) -> None:
        """Put its clock ahead of, or behind, the real one; from this moment on."""
        self._clock.write_text(str(seconds))

    def ready(self, seconds: float = PATIENCE_SECONDS) -> None:
        self.now.wait_for("serving" if self.kind == "serve" else "working", seconds)

    @property
    def now(self) -> Process:
        assert self.process is not None
        return self.process

    def logs(self) -> str:
        return "".join(
            path.read_text() for path in sorted(self.folder.glob(f"{self.kind}-{id(self) % 997}-*.log"))
        )


@dataclass
class Town:
    """An installation under attack; `look` asks its database from outside, past every proxy."""

    folder: Path
    workspace_id: int
    key: str
    database_url: str
    look: Callable[[str], Rows]
    serves: list[Place]
    workers: list[Place] = field(default_factory=list)
    postgres: Postgres | None = None
    valkey: Valkey | None = None
    to_postgres: Proxy | None = None
    to_valkey: Proxy | None = None

    @property
    def places(self) -> list[Place]:
        return [*self.serves, *self.workers]

    @property
    def urls(self) -> list[str]:
        """Where clients knock: behind each is a proxy."""
        return [f"http://127.0.0.1:{place.front.port}" for place in self.serves if place.front]

    def revive(self) -> None:
        """Start whatever is gone, until it is ready."""
        for place in self.places:
            if place.now.ended is not None:
                place.start()
        for place in self.places:
            place.ready()

    def logged(self, event: str) -> list[dict[str, Any]]:
        found = []
        for place in self.places:
            for line in place.logs().splitlines():
                if f'"{event}"' in line:
                    with contextlib.suppress(ValueError):
                        found.append(json.loads(line))
        return [entry for entry in found if entry.get("event") == event]

    def in_hand(self, place: Place) -> int:
        """How many runs a worker has."""
        statement = f"SELECT count(*) FROM runs WHERE state = 'RUNNING' AND worker LIKE '%:{place.now.pid}:%'"
        return int(self.look(statement)[0][0])

    def until(self, statement: str, wanted: Callable[[Rows], bool], seconds: float = 60) -> Rows:
        """Ask until the answer is as wanted."""
        end = time.monotonic() + seconds
        while not wanted(rows := self.look(statement)):
            assert time.monotonic() < end, (statement, rows)
            time.sleep(0.05)
        return rows


class _Outlook:
    """A look into PostgreSQL over a connection of its own, made again when the server has gone."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="outlook", daemon=True)
        self._thread.start()
        self._guard = threading.Lock()
        self._connection: asyncpg.Connection | None = None

    def __call__(self, statement: str) -> Rows:
        with self._guard:
            return asyncio.run_coroutine_threadsafe(self._ask(statement), self._loop).result()

    async def _ask(self, statement: str) -> Rows:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if self._connection is None or self._connection.is_closed():
                    self._connection = await asyncpg.connect(
                        self._url, timeout=5, server_settings={"application_name": "outlook"}
                    )
                return [tuple(row) for row in await self._connection.fetch(statement)]
            except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, TimeoutError):
                assert time.monotonic() < end, "the database does not come back"
            except (asyncpg.OperatorInterventionError, asyncpg.InternalClientError):
                pass
            self._connection = None
            await asyncio.sleep(0.05)

    def close(self) -> None:
        if self._connection is not None:
            self._loop.call_soon_threadsafe(self._connection.terminate)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def look_at_file(path: Path) -> Callable[[str], Rows]:
    """A look into an embedded database, opened to read each time: what is left is its server's to mend."""

    def look(statement: str) -> Rows:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(re.sub(r"CAST\((.+?) AS bigint\)", r"\1", statement)).fetchall()

    return look


def _made_workspace(url: str) -> tuple[int, str]:
    told = json.loads(command("workspace", "Town", DATABASE_URL=url))
    return int(told["workspaceId"]), str(told["apiKey"])


def _serving(folder: Path, environment: dict[str, str]) -> Place:
    port = free_port()
    return Place("serve", folder, {**environment, "CARELINE_PORT": str(port)}, front=Proxy(port))


@contextlib.contextmanager
def distributed(
    folder: Path,
    *,
    tamper: str = "",
    lease: float = LEASE_SECONDS,
    workers: int = 2,
    serves: int = 2,
    threads: int = 8,
) -> Iterator[Town]:
    """PostgreSQL that syncs, Valkey that does not, and processes that reach both through a proxy."""
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Postgres(durable=True))
        valkey = stack.enter_context(Valkey())
        print("PostgreSQL:", *(f"{name}={postgres.sql(f'SHOW {name}')}" for name in DURABLE), flush=True)
        command("migrate", DATABASE_URL=postgres.url)
        postgres.sql(TABLE)
        workspace_id, key = _made_workspace(postgres.url)
        to_postgres = stack.enter_context(Proxy(postgres.port))
        to_valkey = stack.enter_context(Proxy(valkey.port))
        shared = {
            "DATABASE_URL": postgres.url.replace(f":{postgres.port}/", f":{to_postgres.port}/"),
            "REDIS_URL": f"redis://127.0.0.1:{to_valkey.port}/0",
            "CARELINE_LEASE_SECONDS": str(lease),
            "CARELINE_SOCKETS_PER_KEY": "400",
            "CARELINE_SOCKETS_PER_WORKSPACE": "400",
            "CARELINE_WORKER_THREADS": str(threads),
            "CARELINE_FAULTS_TAMPER": tamper,
        }
        outlook = _Outlook(postgres.url)
        stack.callback(outlook.close)
        town = Town(
            folder,
            workspace_id,
            key,
            postgres.url,
            outlook,
            [_serving(folder, shared) for _ in range(serves)],
            [Place("worker", folder, shared) for _ in range(workers)],
            postgres,
            valkey,
            to_postgres,
            to_valkey,
        )
        yield from _lived_in(town, stack)


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[Town]:
    """One server on SQLite that does the work itself."""
    url = f"sqlite:///{folder}/careline.db"
    workspace_id, key = _made_workspace(url)
    with contextlib.ExitStack() as stack:
        served = _serving(folder, {"DATABASE_URL": url})
        yield from _lived_in(
            Town(folder, workspace_id, key, url, look_at_file(file_of(url)), [served]), stack
        )


def _lived_in(town: Town, stack: contextlib.ExitStack) -> Iterator[Town]:
    for place in town.places:
        if place.front is not None:
            stack.callback(place.front.close)
        place.start()
        stack.callback(lambda place=place: place.now.kill9())
    for place in town.places:
        place.ready()
    yield town


def frozen(pid: int) -> bool:
    """Whether a process is held where it is."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
