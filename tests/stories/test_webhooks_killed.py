"""A worker is killed while it sends a message: another sends it again, under the same id, and nothing is lost."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.servers import ROLE, Postgres
from tests.stories.documents import REFUSAL
from tests.stories.processes import ask, started
from tests.stories.test_processes import Town, complete, made_workspace, opened_task

WAIT_SECONDS = 60
CREATE = (
    'mutation ($url: String!) { webhookCreate(input: {name: "CRM", url: $url, topics: ["tasks"], role: PLANNER}) '
    "{ __typename ... on WebhookCreatePayload { webhook { id } } " + REFUSAL + " } }"
)
SEEN = (
    "query ($id: ID!) { webhook(id: $id) { deliveries(first: 50) { nodes { change state messageId "
    "attempts(first: 9) { totalCount } } } } }"
)


class Slow(ThreadingHTTPServer):
    """Keeps the first message without an answer; takes the others."""

    daemon_threads = True

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.first = threading.Event()
        super().__init__(("127.0.0.1", 0), _Taking)


class _Taking(BaseHTTPRequestHandler):
    server: Slow

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.ids.append(self.headers["webhook-id"])
        if not self.server.first.is_set():
            self.server.first.set()
            time.sleep(60)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def slow() -> Iterator[Slow]:
    server = Slow()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_what_a_killed_worker_was_sending_another_sends_again(
    postgres_server: Postgres, postgres_template: str, tmp_path: Path, slow: Slow
) -> None:
    url = postgres_server.create_database("killed_sending", template=postgres_template, role=ROLE)
    key = made_workspace(url)
    shared = {
        "DATABASE_URL": url,
        "CARELINE_LEASE_SECONDS": "2",
        "CARELINE_SECRET_KEY": "s" * 32,
        "CARELINE_WEBHOOK_ALLOWED": "127.0.0.1",
    }
    with started(tmp_path / "api.log", "serve", CARELINE_PORT="0", **shared) as one:
        town = Town(str(one.wait_for("serving")["url"]), key, one, [one], None)
        made = town.do(CREATE, url=f"http://127.0.0.1:{slow.server_port}/hook")
        complete(town, opened_task(town, "Call"))
        assert slow.first.wait(WAIT_SECONDS), "somebody is sending"
        one.kill9()
    with started(tmp_path / "again.log", "serve", CARELINE_PORT="0", **shared) as two:
        at = str(two.wait_for("serving")["url"])
        until = time.monotonic() + WAIT_SECONDS
        while True:
            shown = ask(at, key, SEEN, {"id": made["webhook"]["id"]})
            nodes = shown["webhook"]["deliveries"]["nodes"]  # type: ignore[index]
            if len(nodes) == 2 and {node["state"] for node in nodes} == {"DELIVERED"}:
                break
            assert time.monotonic() < until, nodes
            time.sleep(0.1)
    opened, completed = (node["messageId"] for node in reversed(nodes))
    assert slow.ids == [opened, opened, completed], "the same again, and then what came behind it"
    postgres_server.drop_database("killed_sending")
