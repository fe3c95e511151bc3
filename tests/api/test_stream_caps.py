"""So many subscriptions are open at once for one workspace, and no more, however many connections it has."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from graphql import GraphQLError

from api.live.counting import Open
from tests.api.test_live import CHANGES, Hall, on_server, opened
from tests.conftest import House


@pytest.fixture
async def hall(house: House) -> AsyncIterator[Hall]:
    found = Hall(house)
    await found.numbered()
    yield found
    for listening in found.open:
        await listening.pushes.aclose()


def refused(maximum: int) -> dict[str, Any]:
    return {
        "code": "LIMITED",
        "limit": "streamsPerWorkspace",
        "maximum": maximum,
        "measured": maximum + 1,
    }


async def test_one_subscription_too_many_is_refused_and_nothing_is_followed_for_it(hall: Hall) -> None:
    hall.hub.open = Open(2)
    callers = [await hall.caller() for _ in range(3)]
    listening = [await hall.listen(caller) for caller in callers[:2]]
    waits = [await hall.waits(each) for each in listening]
    (tail,) = hall.hub.tails._tails.values()
    for caller in callers:  # whichever key it has
        told = await (await hall.listen(caller)).hear()
        assert [each["extensions"] for each in told["errors"]] == [refused(2)]
        assert "data" not in told
        with pytest.raises(StopAsyncIteration):
            await anext(hall.open[-1].pushes)
    assert (tail.followers, hall.members()) == (2, 2)
    waits[0].cancel()
    await asyncio.wait([waits[0]])
    again = await hall.listen(callers[2])
    waits.append(await hall.waits(again))
    await hall.happens("One")
    heard = [(await each)["data"]["taskChanged"]["task"]["title"] for each in waits[1:]]
    assert heard == ["One", "One"]


def test_each_workspace_has_its_own() -> None:
    streams = Open(1)
    with streams.one_more(1), streams.one_more(2):
        for workspace in (1, 2):
            with pytest.raises(GraphQLError) as found, streams.one_more(workspace):
                raise AssertionError("it was let in")
            assert found.value.extensions == refused(1)
    with streams.one_more(1):
        pass
    assert not streams._of


async def test_the_connections_of_a_workspace_share_its_subscriptions(hall: Hall, database: str) -> None:
    callers = [await hall.caller() for _ in range(2)]
    subscribe = json.dumps({"id": "1", "type": "subscribe", "payload": {"query": CHANGES}})
    caps = {"CARELINE_STREAMS_PER_WORKSPACE": 1}
    async with on_server(database, **caps) as host, contextlib.AsyncExitStack() as stack, asyncio.timeout(20):
        first, second = [await opened(stack, host, caller) for caller in callers]
        for socket in (first, second):
            assert json.loads(await socket.recv())["type"] == "connection_ack"
        await first.send(subscribe)
        await first.send(json.dumps({"type": "ping"}))
        assert json.loads(await first.recv()) == {"type": "pong"}
        await second.send(subscribe)
        told = json.loads(await second.recv())
        assert (told["type"], told["id"]) == ("error", "1")
        assert [each["extensions"] for each in told["payload"]] == [refused(1)]
        async with httpx2.AsyncClient() as http:
            headers = {"Authorization": callers[1].authorization or "", "Accept": "text/event-stream"}
            answer = await http.post(f"http://{host}/graphql", json={"query": CHANGES}, headers=headers)
            assert '"limit":"streamsPerWorkspace","maximum":1,"measured":2' in answer.text
        await first.send(json.dumps({"id": "1", "type": "complete"}))
        while True:  # the place is free once the server has ended what was open
            await second.send(subscribe)
            await second.send(json.dumps({"type": "ping"}))
            if json.loads(await second.recv())["type"] == "pong":
                break
            assert json.loads(await second.recv())["type"] == "pong"
