"""What frontends are built with, against a real server: graphql-http's audit, Apollo Client, urql, Relay's compiler."""

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.node import CLIENTS, Node, node
from tests.servers.process import wait_until
from tests.stories.documents import TASK_CREATE
from tests.stories.processes import ROOT, ask, command, started

AUDITS = 61
SUBSCRIPTION = "subscription { taskChanged { cursor change task { title } } }"


@dataclass(frozen=True)
class Served:
    """An embedded Careline that serves, with its owner's key."""

    url: str
    key: str

    def task(self, title: str) -> None:
        customer = (
            'mutation { customerUpsert(input: {externalId: "C1"}) '
            "{ ... on CustomerUpsertPayload { customer { id } } } }"
        )
        made: dict[str, dict[str, dict[str, str]]] = ask(self.url, self.key, customer)  # type: ignore[assignment]
        ask(
            self.url,
            self.key,
            TASK_CREATE,
            {"input": {"customerId": made["customerUpsert"]["customer"]["id"], "title": title}},
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{folder}/careline.db"
    key = json.loads(command("workspace", "Served", DATABASE_URL=url))["apiKey"]
    with started(folder / "api.log", "serve", DATABASE_URL=url, CARELINE_PORT="0") as api:
        yield Served(str(api.wait_for("serving")["url"]), key)
        assert api.stop() == 0


@pytest.fixture(scope="module")
def javascript() -> Node:
    return node()


def test_the_audit_of_graphql_over_http_passes_whole(served: Served, javascript: Node) -> None:
    lines = javascript.run("audit.mjs", {"url": f"{served.url}/graphql", "apiKey": served.key}, timeout=60)
    told = [json.loads(line) for line in lines]
    assert [audit for audit in told if audit["status"] != "ok"] == []
    assert len(told) == AUDITS


@pytest.mark.parametrize("client", ["apollo query", "urql query", "urql query by GET"])
def test_a_query_of_a_framework_is_answered(served: Served, javascript: Node, client: str) -> None:
    argument = {
        "url": f"{served.url}/graphql",
        "apiKey": served.key,
        "as": client,
        "query": "{ viewer { role } }",
    }
    _, line = javascript.run("frameworks.mjs", argument)
    assert json.loads(line)["data"]["viewer"]["role"] == "OWNER"


@pytest.mark.parametrize(
    "client", ["apollo subscription", "urql subscription", "urql subscription by WebSocket"]
)
def test_a_subscription_of_a_framework_is_told(served: Served, javascript: Node, client: str) -> None:
    argument = {"url": f"{served.url}/graphql", "apiKey": served.key, "as": client, "query": SUBSCRIPTION}
    running = javascript.start("frameworks.mjs", argument)
    told: list[str] = []
    reading = threading.Thread(target=lambda: told.extend(running.finish()), daemon=True)
    reading.start()

    def done() -> (
        bool
    ):  # these clients do not say when they are subscribed, so it happens until they have heard
        served.task("Call")
        return not reading.is_alive()

    wait_until(done, f"{client} has heard")
    change = json.loads(told[-1])["data"]["taskChanged"]
    assert (change["change"], change["task"]["title"]) == ("task.opened", "Call")


RELAY = """
import {graphql} from "relay-runtime";
graphql`fragment source_row on Task @argumentDefinitions(count: {type: "Int", defaultValue: 5}) {
  id title dueAt customer { id name orders(first: $count) { edges { node { id } } } } }`;
graphql`fragment source_list on Query @refetchable(queryName: "sourceListPage")
  @argumentDefinitions(first: {type: "Int", defaultValue: 20}, after: {type: "String"}) {
  tasks(first: $first, after: $after) @connection(key: "list_tasks") {
    edges { cursor node { ...source_row } } pageInfo { hasNextPage endCursor } } }`;
graphql`query sourceQuery($id: ID!) { ...source_list node(id: $id) { __typename id ... on Task { ...source_row @alias(as: "row") } } }`;
graphql`mutation sourceMutation($input: TaskCreateInput!) { taskCreate(input: $input) { __typename
  ... on TaskCreatePayload { task { ...source_row } } ... on Refusal { userErrors { code message field } } } }`;
graphql`subscription sourceSubscription($after: String) { taskChanged(after: $after) {
  cursor change task { ...source_row } } }`;
"""


def test_relay_compiles_operations_of_every_kind_over_the_schema(tmp_path: Path, javascript: Node) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "source.js").write_text(RELAY)
    (tmp_path / "schema.graphql").write_text((ROOT / "schema.graphql").read_text())
    config = {"src": "./src", "schema": "./schema.graphql", "language": "javascript", "eagerEsModules": True}
    (tmp_path / "relay.config.json").write_text(json.dumps(config))
    compiler = CLIENTS / "node_modules" / "relay-compiler" / "cli.js"
    done = subprocess.run(
        [javascript.program, compiler], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.name.partition(".")[0] for path in (tmp_path / "src" / "__generated__").iterdir()}
    assert made == {
        "source_row",
        "source_list",
        "sourceListPage",
        "sourceQuery",
        "sourceMutation",
        "sourceSubscription",
    }
