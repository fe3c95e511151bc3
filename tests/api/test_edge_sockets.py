"""GraphQL over WebSocket: no message kills the server's side, no operation touches another."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.api.edge_app import TOKEN, Log, build, served

pytestmark = pytest.mark.anyio

PROTOCOL = "graphql-transport-ws"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def host() -> AsyncIterator[str]:
    async with served(build()) as host:
        yield host


@asynccontextmanager
async def opened(host: str, protocol: str = PROTOCOL, **more: Any) -> AsyncIterator[ClientConnection]:
    async with asyncio.timeout(20), connect(f"ws://{host}/graphql", subprotocols=[protocol], **more) as ws:
        yield ws


async def say(ws: ClientConnection, *messages: object) -> None:
    for message in messages:
        await ws.send(message if isinstance(message, str | bytes) else json.dumps(message))


async def hear(ws: ClientConnection) -> dict[str, Any]:
    heard = await ws.recv()
    assert isinstance(heard, str)
    return json.loads(heard)


async def until_closed(ws: ClientConnection) -> tuple[int | None, str | None]:
    with pytest.raises(ConnectionClosed):
        while True:
            await ws.recv()
    return ws.close_code, ws.close_reason


async def acked(ws: ClientConnection, payload: object = None) -> None:
    await say(ws, {"type": "connection_init", "payload": payload or {"Authorization": TOKEN}})
    assert (await hear(ws))["type"] == "connection_ack"


def subscribe(identity: str, query: str, **more: Any) -> dict[str, Any]:
    return {"id": identity, "type": "subscribe", "payload": {"query": query, **more}}


def raw(payload: object, identity: object = "1") -> dict[str, Any]:
    return {"id": identity, "type": "subscribe", "payload": payload}


WRONG: list[object] = [
    "",
    "{",
    "1",
    "null",
    "[]",
    '"ping"',
    "true",
    "NaN",
    '{"type":"ping","payload":1e999}',
    "[" * 100_000,
    b"\x00binary",
    b'{"type":"ping"}',
    {},
    {"type": None},
    {"type": 1},
    {"type": []},
    {"type": {}},
    {"type": "next", "id": "1"},
    {"type": "connection_ack"},
    {"type": "start", "id": "1"},
    {"type": "x" * 5_000},
    {"type": "ping", "payload": "x"},
    {"type": "pong", "payload": []},
    {"type": "connection_init", "payload": "x"},
    {"type": "connection_init", "payload": [1]},
    {"type": "complete"},
    {"type": "complete", "id": []},
    {"type": "complete", "id": ""},
    {"type": "subscribe"},
    {"type": "subscribe", "id": "1"},
    raw({"query": "{hello}"}, identity=[]),
    raw({"query": "{hello}"}, identity=None),
    raw({"query": "{hello}"}, identity=1),
    raw({"query": "{hello}"}, identity=""),
    raw({"query": "{hello}"}, identity="é" * 129),
    raw("x"),
    raw(None),
    raw([]),
    raw({}),
    raw({"query": None}),
    raw({"query": 1}),
    raw({"query": ["{hello}"]}),
    raw({"query": "{hello}", "variables": [1]}),
    raw({"query": "{hello}", "variables": "x"}),
    raw({"query": "{hello}", "operationName": 1}),
    raw({"query": "{hello}", "operationName": {}}),
    raw({"query": "{hello}", "extensions": []}),
]


@pytest.mark.parametrize("first", [False, True], ids=["acked", "first"])
async def test_a_malformed_message_closes_with_4400(host: str, first: bool) -> None:
    for message in WRONG:
        async with opened(host) as ws:
            if not first:
                await acked(ws)
            await say(ws, message)
            assert (await until_closed(ws))[0] == 4400, message


BAD_OPERATIONS = [
    {"query": ""},
    {"query": "{"},
    {"query": "{nothing}"},
    {"query": "fragment A on Query {hello}"},
    {"query": "query A {hello}", "operationName": "B"},
    {"query": "{" * 900 + "}" * 900},
    {"query": "subscription($t:Int!){count(to:$t){number}}"},
    {"query": "subscription($t:Int!){count(to:$t){number}}", "variables": {"t": "x"}},
    {"query": 'subscription{count(after:"\\u0000"){number}}'},
    {"query": "{hello " * 1_100},
]


async def test_a_bad_operation_gets_an_error_and_the_others_live_on(host: str) -> None:
    async with opened(host) as ws:
        await acked(ws)
        await say(ws, subscribe("long", "subscription{wait}"))
        assert (await hear(ws))["type"] == "next"
        for number, payload in enumerate(BAD_OPERATIONS):
            await say(ws, {"id": str(number), "type": "subscribe", "payload": payload})
            answer = await hear(ws)
            assert (answer["type"], answer["id"]) == ("error", str(number))
            assert answer["payload"][0]["extensions"]["code"] in ("BAD_REQUEST", "LIMITED")
        await say(ws, subscribe("after", "{hello}"))
        assert (await hear(ws))["payload"]["data"] == {"hello": "hello world"}
        assert await hear(ws) == {"id": "after", "type": "complete"}


async def test_queries_mutations_and_subscriptions_run(host: str) -> None:
    async with opened(host) as ws:
        await acked(ws, {"authorization": TOKEN})
        await say(ws, subscribe("1", "query A {hello} query B {who}", operationName="A"))
        data = {"data": {"hello": "hello world"}, "extensions": {"cost": {"requested": 1}}}
        assert await hear(ws) == {"id": "1", "type": "next", "payload": data}
        assert await hear(ws) == {"id": "1", "type": "complete"}
        await say(ws, subscribe("1", "mutation($n:String!){rename(name:$n)}", variables={"n": "x"}))
        assert (await hear(ws))["payload"]["data"] == {"rename": "x"}
        assert await hear(ws) == {"id": "1", "type": "complete"}
        await say(ws, subscribe("1", "subscription{count(to:2){number}}"))
        numbers = [(await hear(ws))["payload"]["data"]["count"]["number"] for _ in range(2)]
        assert numbers == [1, 2]
        assert await hear(ws) == {"id": "1", "type": "complete"}
        await say(ws, {"type": "ping"})
        assert await hear(ws) == {"type": "pong"}


async def test_each_operation_of_a_socket_has_a_context_of_its_own() -> None:
    log = Log()
    async with served(build(log)) as host, opened(host) as ws:
        await acked(ws)
        seen = []
        for number in range(3):
            await say(ws, subscribe(str(number), "{who}"))
            seen.append((await hear(ws))["payload"]["data"]["who"])
            assert (await hear(ws))["type"] == "complete"
    assert seen == [f"anna {id(context)}" for context in log.contexts]
    assert len(set(seen)) == 3
    assert {context.principal for context in log.contexts} == {"anna"}
    assert log.contexts[0].connection.state.principal == "anna"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (None, 4401),
        ({}, 4401),
        ({"Authorization": None}, 4401),
        ({"Authorization": ["Bearer good"]}, 4401),
        ({"Authorization": "Bearer bad"}, 4401),
        ({"token": TOKEN}, 4401),
        ({"Authorization": "Bearer barred"}, 4403),
        ({"Authorization": "Bearer broken"}, 4500),
        ({"Authorization": "Bearer away"}, 1013),
    ],
)
async def test_whoever_is_not_known_is_refused_before_the_ack(host: str, payload: object, code: int) -> None:
    async with opened(host) as ws:
        await say(ws, {"type": "connection_init", "payload": payload})
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_code == code


async def test_the_handshake_header_is_no_credential(host: str) -> None:
    async with opened(host, additional_headers={"Authorization": TOKEN}) as ws:
        await say(ws, {"type": "connection_init"})
        assert await until_closed(ws) == (4401, "Unauthorized")


async def test_subscribing_before_the_ack_is_unauthorised(host: str) -> None:
    async with opened(host) as ws:
        await say(ws, subscribe("1", "{hello}"))
        assert await until_closed(ws) == (4401, "Unauthorized")


async def test_a_socket_without_init_is_closed_in_time() -> None:
    async with (
        served(build(connection_init_wait_timeout=timedelta(milliseconds=20))) as host,
        opened(host) as ws,
    ):
        assert await until_closed(ws) == (4408, "Connection initialisation timeout")


async def test_an_id_in_use_closes_with_4409_however_long_it_is(host: str) -> None:
    for identity in ("1", "é" * 128):
        async with opened(host) as ws:
            await acked(ws)
            await say(ws, subscribe(identity, "subscription{wait}"), subscribe(identity, "{hello}"))
            assert (await until_closed(ws))[0] == 4409


async def test_a_second_init_closes_with_4429(host: str) -> None:
    async with opened(host) as ws:
        await acked(ws)
        await say(ws, {"type": "connection_init"})
        assert await until_closed(ws) == (4429, "Too many initialisation requests")


async def test_the_context_can_close_a_socket_whose_credentials_ended(host: str) -> None:
    async with opened(host) as ws:
        await acked(ws)
        await say(ws, subscribe("1", "subscription{revoked}"))
        assert (await hear(ws))["payload"]["data"] == {"revoked": 1}
        assert await until_closed(ws) == (4403, "Forbidden")


async def test_a_message_that_is_too_large_is_refused() -> None:
    async with served(build(max_message_bytes=1000)) as host, opened(host) as ws:
        await acked(ws)
        await say(ws, subscribe("1", "{hello}" + " " * 1000))
        assert (await until_closed(ws))[0] == 1009


async def test_an_operation_too_many_is_refused_and_the_others_run_on() -> None:
    async with served(build(max_subscriptions=2)) as host, opened(host) as ws:
        await acked(ws)
        for identity in ("a", "b"):
            await say(ws, subscribe(identity, "subscription{wait}"))
            assert (await hear(ws))["type"] == "next"
        await say(ws, subscribe("c", "{hello}"))
        refused = await hear(ws)
        assert (refused["type"], refused["id"]) == ("error", "c")
        assert refused["payload"][0]["extensions"] == {
            "code": "LIMITED",
            "limit": "subscriptions",
            "maximum": 2,
            "measured": 3,
        }
        await say(ws, {"id": "a", "type": "complete"}, subscribe("c", "{hello}"))
        assert (await hear(ws))["payload"]["data"] == {"hello": "hello world"}


async def test_completing_ends_the_operation_at_the_server() -> None:
    log = Log()
    async with served(build(log)) as host, opened(host) as ws:
        await acked(ws)
        await say(ws, subscribe("1", "subscription{wait}"))
        await hear(ws)
        await say(ws, {"id": "1", "type": "complete"}, {"id": "nobody", "type": "complete"})
        await log.closed_streams.wait()
        await say(ws, subscribe("1", "{hello}"))
        assert (await hear(ws))["type"] == "next"


async def test_a_client_that_vanishes_ends_its_operations() -> None:
    log = Log()
    async with served(build(log)) as host:
        async with opened(host) as ws:
            await acked(ws)
            await say(ws, subscribe("1", "subscription{wait}"))
            await hear(ws)
            ws.transport.abort()
        async with asyncio.timeout(5):
            await log.closed_streams.wait()


async def test_an_exception_in_a_stream_is_an_incident_of_that_operation_only(host: str) -> None:
    async with opened(host) as ws:
        await acked(ws)
        await say(ws, subscribe("1", "subscription{breaks}"))
        assert (await hear(ws))["payload"]["data"] == {"breaks": 1}
        failed = await hear(ws)
        assert failed["payload"]["errors"][0]["message"] == "Internal error"
        assert (await hear(ws))["type"] == "complete"
        await say(ws, subscribe("2", "{unspeakable}"))
        refused = await hear(ws)
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL")
        await say(ws, subscribe("3", "{hello}"))
        assert (await hear(ws))["type"] == "next"


async def test_at_most_five_errors_are_returned(host: str) -> None:
    async with opened(host) as ws:
        await acked(ws)
        await say(ws, subscribe("1", "{" + " ".join(f"nothing{number}" for number in range(15)) + "}"))
        assert len((await hear(ws))["payload"]) == 5


@pytest.mark.parametrize("protocol", ["graphql-ws", "graphql-sse", "mqtt"])
async def test_other_protocols_are_refused(host: str, protocol: str) -> None:
    async with opened(host, protocol) as ws:
        assert (await until_closed(ws))[0] == 4406


async def test_pages_of_other_origins_are_refused_unless_listed() -> None:
    async with served(build(allowed_origins=["https://care.test"])) as host:
        async with opened(host, origin="https://care.test") as ws:
            await acked(ws)
        with pytest.raises(InvalidStatus):
            async with opened(host, origin="https://evil.test"):
                raise AssertionError
