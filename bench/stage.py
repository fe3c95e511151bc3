"""The servers and processes of a benchmark: a PostgreSQL that syncs, a Valkey, and workers to time."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from domain import db, nudges, timekeeping
from domain.db.migrate import grant, migrate
from tests.servers import ROLE, Postgres, Valkey
from tests.servers.process import children_of, spawn

ROOT = Path(__file__).parents[1]
START_SECONDS = 60
THREADS = 8
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Stage:
    """Both servers, running."""

    postgres: Postgres
    valkey: Valkey

    @contextlib.asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[str]:
        """A new database, open in this process as a serving process has it: by a role that owns nothing."""
        owner = self.postgres.create_database(name)
        async with db.open_database(owner):
            await migrate(owner)
            await grant(ROLE)
        timekeeping.forget()
        url = self.postgres.url_of(name, ROLE)
        db.enter_everywhere()
        async with db.open_database(url), nudges.across_processes(url):
            yield url
        self.postgres.drop_database(name)
        self.valkey.flush()

    @contextlib.contextmanager
    def process(self, module: str, **environment: str) -> "Iterator[Child]":
        """A process of a module of this benchmark, for the time of the block; it never outlives this one."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
        child = Child(
            spawn(
                [sys.executable, "-m", module],
                cwd=ROOT,
                env={**kept, "REDIS_URL": self.valkey.url, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                death_signal=signal.SIGKILL,
            )
        )
        try:
            yield child
        finally:
            child.end()

    @contextlib.contextmanager
    def worker(self, url: str) -> "Iterator[Child]":
        """One worker process with eight threads, working."""
        threads = str(THREADS)
        with self.process("bench.worker", DATABASE_URL=url, CARELINE_WORKER_THREADS=threads) as child:
            child.wait_for("working")
            yield child

    def database_cpu(self) -> float:
        """CPU that PostgreSQL has used so far, with the processes it had and has."""
        parent = self.postgres.pid
        return sum(map(cpu_seconds, children_of(parent)), _fields(parent, 11, 12, 13, 14))


class Child:
    """A process whose lines are read as they come, so that it never waits for its reader."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._said: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._said.append(line.decode("utf-8", "replace"))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def said(self) -> list[str]:
        """Its last lines."""
        return self._said[-20:]

    def wait_for(self, text: str, seconds: float = START_SECONDS) -> None:
        """Return once it has printed a line with this text."""

        def settled() -> bool:
            return any(text in line for line in self._said) or not self._reader.is_alive()

        with self._news:
            self._news.wait_for(settled, seconds)
            if not any(text in line for line in self._said):
                raise RuntimeError(f"no {text!r} within {seconds:g} s:\n{''.join(self._said[-20:])}")

    def line_with(self, text: str) -> str:
        """The first line that it printed with this text."""
        return next(line for line in self._said if text in line)

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def set_up() -> Iterator[Stage]:
    """PostgreSQL with fsync, synchronous_commit and full_page_writes on, and a Valkey without persistence."""
    with Postgres(durable=True) as postgres, Valkey() as valkey:
        postgres.sql(f"CREATE ROLE {ROLE} LOGIN")
        yield Stage(postgres, valkey)


def cpu_seconds(pid: int, thread: int | None = None) -> float:
    """CPU that a process, or one thread of it, has used so far; none once it is gone."""
    with contextlib.suppress(OSError):
        return _fields(pid if thread is None else f"{pid}/task/{thread}", 11, 12)
    return 0.0


def _fields(process: int | str, *numbers: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[number]) for number in numbers) / TICKS
