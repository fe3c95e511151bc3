"""The clients under examples/clients do what docs/clients.md says, against a real server."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.node import find_node
from tests.servers.process import free_port
from tests.stories.documents import TASK_CREATE
from tests.stories.processes import ROOT, ask, command, started

CLIENTS = ROOT / "examples" / "clients"
WAIT_SECONDS = 60
HEARD = [{"heard": ["task.completed", number]} for number in range(3)]
TOLD = [
    {"role": "OWNER"},
    {"once": True},
    {"refused": [["REQUIRED", "input.title"]]},
    {"pages": True},
    *HEARD,
]


@pytest.fixture(params=["mjs", "py"])
def language(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The interpreter, and how its files are called."""
    return (str(find_node().program) if request.param == "mjs" else sys.executable), request.param


@pytest.fixture
def home(tmp_path: Path) -> tuple[str, str]:
    """The URL of an embedded database, and its owner's key."""
    url = f"sqlite:///{tmp_path}/careline.db"
    return url, json.loads(command("workspace", "Tour", DATABASE_URL=url))["apiKey"]


def test_the_tour_asks_changes_is_refused_pages_and_follows(
    tmp_path: Path, home: tuple[str, str], language: tuple[str, str]
) -> None:
    program, ending = language
    with started(tmp_path / "api.log", "serve", DATABASE_URL=home[0], CARELINE_PORT="0") as api:
        url = str(api.wait_for("serving")["url"])
        done = subprocess.run(
            [program, f"tour.{ending}", url, home[1]], cwd=CLIENTS, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == TOLD


class Follower:
    """A follower under way, line by line."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, cwd=CLIENTS, stdout=subprocess.PIPE, text=True)
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def title(self) -> str:
        return str(json.loads(self._lines.get(timeout=WAIT_SECONDS))["task"]["title"])


@pytest.fixture
def following(language: tuple[str, str]) -> Iterator[Any]:
    begun: list[Follower] = []

    def begin(*arguments: str) -> Follower:
        begun.append(Follower(language[0], f"follow.{language[1]}", *arguments))
        return begun[-1]

    yield begin
    for follower in begun:
        follower.process.kill()
        follower.process.wait()


def test_a_follower_goes_on_where_it_was_when_the_server_comes_back(
    tmp_path: Path, home: tuple[str, str], following: Any
) -> None:
    database, key = home
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def opened(*titles: str) -> None:
        upsert = 'mutation { customerUpsert(input: {externalId: "C"}) { ... on CustomerUpsertPayload { customer { id } } } }'
        made: Any = ask(url, key, upsert)
        for title in titles:
            given = {"customerId": made["customerUpsert"]["customer"]["id"], "title": title}
            ask(url, key, TASK_CREATE, {"input": given})

    follower = None
    for number in range(2):
        with started(
            tmp_path / f"{number}.log", "serve", DATABASE_URL=database, CARELINE_PORT=str(port)
        ) as api:
            api.wait_for("serving")
            if follower is None:
                head: Any = ask(url, key, "{ feed { head } }")
                follower = following(url, key, head["feed"]["head"])
            opened(f"{number} a", f"{number} b")
            assert [follower.title() for _ in range(2)] == [f"{number} a", f"{number} b"]
            api.kill9()
    assert follower is not None
    assert follower.process.poll() is None
