"""The servers and processes of a benchmark: a PostgreSQL that syncs, a Valkey, and workers to time."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from domain import db, nudges, timekeeping
from domain.db.migrate import migrate
from tests.servers import Postgres, Valkey

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
        """A new database, open in this process as a serving process has it."""
        url = self.postgres.create_database(name)
        timekeeping.forget()
        async with db.open_database(url):
            await migrate(url)
            async with nudges.across_processes(url):
                yield url
        self.valkey.flush()

    @contextlib.contextmanager
    def process(self, module: str, **environment: str) -> "Iterator[Child]":
        """A process of a module of this benchmark, for the time of the block."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
        child = Child(
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", module],
                cwd=ROOT,
                env={**kept, "REDIS_URL": self.valkey.url, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
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


class Child:
    """A process whose lines are read as they come, so that it never waits for its reader."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
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
                self._said.append(line)
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
        yield Stage(postgres, valkey)


def cpu_seconds(pid: int, thread: int | None = None) -> float:
    """CPU that a process, or one thread of it, has used so far."""
    path = Path(f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat")
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
