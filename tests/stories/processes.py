"""Careline as separate processes, started from the command line as an operator would."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2

from tests.servers.process import spawn

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


class Process:
    """One `careline` command with its log in a file."""

    def __init__(self, log: Path, *arguments: str, **environment: str) -> None:
        self.log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
        module, cwd = environment.pop("module", "api"), Path(environment.pop("cwd", str(ROOT)))
        with log.open("ab") as out:
            self._process = spawn(
                [sys.executable, "-m", module, *arguments],
                cwd=cwd,
                env={**kept, "PYTHONPATH": str(ROOT), "CARELINE_LOG": "json", **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> int | None:
        """Its exit code; none while it lives."""
        return self._process.poll()

    def events(self) -> list[dict[str, object]]:
        """What it logged so far."""
        found = []
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def wait_for(self, event: str, seconds: float = START_SECONDS) -> dict[str, object]:
        """The first log line of this name."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in self.events():
                if line.get("event") == event and line.get("pid", self.pid) == self.pid:
                    return line
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no {event!r} from {self._process.args}:\n{self.log.read_text()[-3000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, how)
        return self._process.wait(20)

    def kill9(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(20)

    def freeze(self) -> None:
        """Hold it where it is, as a long pause of its machine would."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)

    def wait(self, timeout: float = START_SECONDS) -> int:
        return self._process.wait(timeout)


@contextlib.contextmanager
def started(log: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    process = Process(log, *arguments, **environment)
    try:
        yield process
    finally:
        process.kill9()


def command(*arguments: str, **environment: str) -> str:
    """Run a command to its end; what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CARELINE_")}
    done = subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(
    url: str, key: str, document: str, variables: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The data of an operation, over real HTTP."""
    answer = httpx2.post(
        f"{url}/graphql",
        json={"query": document, "variables": variables or {}},
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
    )
    body = answer.json()
    assert "errors" not in body, body
    data: dict[str, object] = body["data"]
    return data
