"""Child processes that never outlive the test run, and the small tools to wait for them."""

import contextlib
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO

LAUNCHER = Path(__file__).with_name("launch.py")
# Below the range that kernels hand to outgoing connections: nobody takes the port while a server is down,
# and a client that knocks meanwhile cannot be connected to itself.
PORTS = range(20_000, 32_000)

Popen = subprocess.Popen[bytes]


class ServerError(RuntimeError):
    """A server or program that the tests need did not do what it must."""


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    for port in random.sample(PORTS, k=200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerError(f"no free loopback port among {PORTS.start}-{PORTS.stop - 1}")


def wait_until(check: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Poll `check` until it holds; raise ServerError at the deadline."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise ServerError(f"{what}: still not so after {timeout:g} s")
        time.sleep(0.02)


class _Spawner(threading.Thread):
    """Starts every child: the kernel ties a child to the thread that started it, not to the process."""

    def __init__(self) -> None:
        super().__init__(name="spawner", daemon=True)
        self.orders: queue.SimpleQueue[tuple[Future[Popen], Callable[[], Popen]]] = queue.SimpleQueue()

    def run(self) -> None:
        while True:
            future, order = self.orders.get()
            try:
                future.set_result(order())
            except BaseException as error:
                future.set_exception(error)


_spawner: _Spawner | None = None
_spawner_guard = threading.Lock()


def spawn(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    uid: int | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> Popen:
    """Start a child in its own session that gets `death_signal` when this process ends, however it ends."""
    global _spawner
    launch = [
        sys.executable,
        "-I",
        "-S",
        LAUNCHER,
        os.getpid(),
        int(death_signal),
        -1 if uid is None else uid,
    ]

    def order() -> Popen:
        return subprocess.Popen(
            [str(part) for part in (*launch, *command)],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    with _spawner_guard:
        if _spawner is None or not _spawner.is_alive():
            _spawner = _Spawner()
            _spawner.start()
    future: Future[Popen] = Future()
    _spawner.orders.put((future, order))
    return future.result(timeout=30)


def alive(pid: int) -> bool:
    """Say whether `pid` still runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return not Path("/proc/self/stat").exists()


def children_of(pid: int) -> list[int]:
    """List the direct children of `pid`; empty where the system has no /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def kill_tree(process: Popen) -> None:
    """Kill -9 a child and its children at one blow, as a power cut would, and wait until they are gone."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGSTOP)  # so that it starts no more of them
    family = children_of(process.pid)
    process.kill()
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(20)
    wait_until(lambda: not any(alive(pid) for pid in family), f"the children of {process.pid} are gone")
