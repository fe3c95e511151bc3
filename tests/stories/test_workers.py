"""Workers that one command looks after, for real: what dies comes back, and nothing is left behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import ROLE, Postgres
from tests.servers.process import alive, wait_until
from tests.stories.processes import Process, started

WAIT_SECONDS = 60


def working(process: Process) -> list[int]:
    """The process ids of the workers that said that they work, in that order."""
    return [int(str(event["pid"])) for event in process.events() if event["event"] == "working"]


def wait_for(check: Callable[[], bool], process: Process) -> None:
    until = time.monotonic() + WAIT_SECONDS
    while not check():
        assert time.monotonic() < until, process.log.read_text()
        time.sleep(0.02)


@pytest.fixture
def workers(postgres_server: Postgres, postgres_template: str, tmp_path: Path) -> Iterator[Process]:
    """`careline worker --processes 2`, once both of them work."""
    name = f"workers_{os.getpid()}"
    url = postgres_server.create_database(name, template=postgres_template, role=ROLE)
    with started(tmp_path / "workers.log", "worker", "--processes", "2", DATABASE_URL=url) as process:
        wait_for(lambda: len(working(process)) == 2, process)
        assert all(alive(pid) for pid in working(process))
        yield process
    wait_until(lambda: not any(alive(pid) for pid in working(process)), "the workers are gone")
    postgres_server.drop_database(name)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_workers_stop_in_good_order_with_what_started_them(workers: Process, how: signal.Signals) -> None:
    os.kill(workers.pid, how)
    assert workers.wait() == 0
    assert not any(alive(pid) for pid in working(workers))
    stopped = {event["pid"] for event in workers.events() if event["event"] == "stopped"}
    assert stopped == set(working(workers))
    assert "Traceback" not in workers.log.read_text()


def test_a_worker_that_is_killed_is_started_again(workers: Process) -> None:
    killed, other = working(workers)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: len(working(workers)) == 3, workers)
    (died,) = [event for event in workers.events() if event["event"] == "worker_died"]
    assert (died["worker"], died["code"]) == (killed, -signal.SIGKILL)
    assert alive(other)
    assert alive(working(workers)[-1])
    os.kill(workers.pid, signal.SIGTERM)
    assert workers.wait() == 0


def test_workers_end_in_good_order_when_what_started_them_is_killed(workers: Process) -> None:
    os.kill(workers.pid, signal.SIGKILL)
    workers.wait()
    wait_until(lambda: not any(alive(pid) for pid in working(workers)), "the workers are gone")
    stopped = {event["pid"] for event in workers.events() if event["event"] == "stopped"}
    assert stopped == set(working(workers))
