"""Live updates: made once for all who may see the same, never missed, never told to whom they are not for."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from api import app, live
from api.context import Context
from api.edge.reading import Asked
from api.live import following, groups, standing, subscriber
from api.live.hub import Hub
from api.schema import schema
from domain import customers, feeds, tasks, timekeeping, workspaces
from domain.access import Role
from domain.contacts import Channel
from domain.db import enter, execute
from domain.journal import JournalLine
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.api.edge_app import served
from tests.conftest import NOON, House

CHANGES = "subscription ($after: String) { taskChanged(after: $after) { cursor change task { title customer { name } } } }"
SOCKET = SimpleNamespace(scope={"type": "websocket"})


class Listening:
    """One subscriber of a hub, and what it was told."""

    def __init__(self, hub: Hub, caller: app.Caller, query: str, variables: dict[str, Any]) -> None:
        found = hub.follow(Asked(query, variables, None, None), caller, SOCKET)
        assert found is not None
        self.pushes = found

    async def hear(self) -> Any:
        async with asyncio.timeout(10):
            push = await anext(self.pushes)
        return json.loads(push.body) | ({"close": push.close} if push.close else {})

    async def title(self) -> str:
        return str((await self.hear())["data"]["taskChanged"]["task"]["title"])


class Hall:
    """A hub, and somebody to change things in its house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.hub = Hub(schema, app.authenticate, self._context)
        self.open: list[Listening] = []

    @staticmethod
    def _context(caller: Any, _: Any) -> Context:
        enter(caller.principal.workspace_id)
        return Context(caller.principal, caller.authorization)

    async def caller(self, role: Role = Role.OWNER, **more: Any) -> app.Caller:
        key = await workspaces.create_key(self.house.owner, name="k", role=role, **more)
        found = await app.authenticate(f"Bearer {key.secret}")
        assert found is not None
        return found

    async def listen(self, caller: app.Caller, query: str = CHANGES, **variables: Any) -> Listening:
        """A subscriber that has caught up and waits with its group."""
        self.open.append(Listening(self.hub, caller, query, variables))
        return self.open[-1]

    async def waits(self, listening: Listening, what: Any = None) -> "asyncio.Task[Any]":
        """Have it wait for its next event, in its group."""
        before = self.members()
        waiting = asyncio.create_task(what or listening.hear())
        async with asyncio.timeout(10):
            while self.members() == before and not waiting.done():
                await asyncio.sleep(0.001)
        return waiting

    def members(self) -> int:
        return sum(len(group.members) for group in self.hub.groups._groups.values())

    async def happens(self, *titles: str, **more: Any) -> None:
        customer, _ = await customers.upsert(self.house.admin, "C1", name="Wang Xiaoming")
        for title in titles:
            draft = tasks.Draft(
                kind=tasks.TaskKind.GENERAL,
                customer_id=customer.id,
                title=title,
                dedupe_key=title,
                due_at=NOON,
                contact_at=NOON,
                channel=Channel.PHONE,
                **more,
            )
            await tasks.create(self.house.admin, draft)
        await self.numbered()

    async def numbered(self) -> None:
        """Give every line its place, though the tail of who listens may be giving some just now."""
        while await JournalLine.filter(workspace_id=self.house.id, position=None).exists():
            await feeds.number(self.house.id)


@pytest.fixture
async def hall(house: House) -> AsyncIterator[Hall]:
    opened = Hall(house)
    await opened.numbered()
    yield opened
    for listening in opened.open:
        await listening.pushes.aclose()


async def test_an_event_is_made_once_for_all_who_may_see_the_same(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    matching = tasks.matching

    async def counted(who: Any, where: Any, task_id: int) -> Any:
        made.append(task_id)
        return await matching(who, where, task_id)

    monkeypatch.setattr(tasks, "matching", counted)
    owners = [await hall.caller() for _ in range(2)]
    analyst = await hall.caller(Role.ANALYST)
    waiting = [await hall.waits(await hall.listen(caller)) for caller in (*owners, *owners, analyst, analyst)]
    assert (len(hall.hub.groups), hall.members()) == (2, 6)
    await hall.happens("One")
    heard = [(await each)["data"]["taskChanged"] for each in waiting]
    assert [each["task"]["title"] for each in heard] == ["One"] * 6
    assert [each["task"]["customer"]["name"] for each in heard] == ["Wang Xiaoming"] * 4 + [
        "Wa*********ng"
    ] * 2
    assert len(made) == 1  # the row is read once; each group makes its own event of it
    # Other words, other variables, another scope: another group.
    other = await hall.listen(owners[0], CHANGES.replace("cursor change", "change"))
    waits = await hall.waits(other)
    assert len(hall.hub.groups) == 3
    waits.cancel()
    await asyncio.wait([waits])


async def test_a_cursor_is_gone_on_from_with_no_gap_and_nothing_twice(hall: Hall) -> None:
    caller = await hall.caller()
    first = await hall.listen(caller)
    waiting = await hall.waits(first)
    await hall.happens("0", "1", "2", "3")
    heard = [(await waiting)["data"]["taskChanged"]]
    heard += [(await first.hear())["data"]["taskChanged"] for _ in range(3)]
    waits = [asyncio.create_task(first.title())]
    for gone in range(4):
        again = await hall.listen(caller, after=heard[gone]["cursor"])
        assert [await again.title() for _ in range(3 - gone)] == [str(n) for n in range(gone + 1, 4)]
        waits.append(await hall.waits(again, again.title()))
    assert len(hall.hub.groups) == 1  # where each began is of no matter for what it is told now
    await hall.happens("live")
    assert [await each for each in waits] == ["live"] * 5


async def test_one_who_is_too_slow_is_told_so_and_misses_nothing(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "QUEUED", 3)
    caller = await hall.caller()
    slow, quick = await hall.listen(caller), await hall.listen(caller)
    waits = await hall.waits(slow)
    following_quick = asyncio.create_task(_titles(quick, 12))
    while hall.members() < 2:
        await asyncio.sleep(0.001)
    for number in range(12):
        await hall.happens(str(number))
    assert await following_quick == [str(number) for number in range(12)]  # who is quick does not wait
    heard = [await waits, *[await slow.hear() for _ in range(11)]]
    assert [each["data"]["taskChanged"]["task"]["title"] for each in heard] == [str(n) for n in range(12)]
    behind = [each.get("extensions") == {"feed": {"behind": True}} for each in heard]
    assert behind == [False] * 4 + [True] * 8  # the first was taken at once
    back = await hall.waits(slow, slow.title())  # it has caught up, and is told with its group again
    await hall.happens("after")
    assert await back == "after"


async def _titles(listening: Listening, count: int) -> list[str]:
    return [await listening.title() for _ in range(count)]


async def test_one_who_stays_behind_is_sent_away_and_its_cursor_is_good(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, "QUEUED", 2)
    monkeypatch.setattr(subscriber, "BEHIND_SECONDS", 0.0)
    caller = await hall.caller()
    slow = await hall.listen(caller)
    waits = await hall.waits(slow)
    await hall.happens(*(str(number) for number in range(6)))
    while hall.members():  # until it has been put out of its group
        await asyncio.sleep(0.001)
    heard = [await waits, await slow.hear(), await slow.hear()]
    last = await slow.hear()
    assert (last["close"][0], last["errors"][0]["extensions"]["code"]) == (1013, "UNAVAILABLE")
    with pytest.raises(StopAsyncIteration):
        await anext(slow.pushes)
    again = await hall.listen(caller, after=heard[-1]["data"]["taskChanged"]["cursor"])
    assert [await again.title() for _ in range(3)] == ["3", "4", "5"]


async def test_who_may_no_longer_hear_is_not_told_the_next_event(hall: Hall) -> None:
    caller, other = await hall.caller(), await hall.caller()
    ended, goes_on = await hall.listen(caller), await hall.listen(other)
    waits = [await hall.waits(ended), await hall.waits(goes_on)]
    await workspaces.revoke_key(hall.house.owner, caller.principal.id)
    await hall.happens("secret")
    told = await waits[0]
    assert told["close"] == (4403, "Forbidden")
    assert told["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "secret" not in json.dumps(told)
    assert (await waits[1])["data"]["taskChanged"]["task"]["title"] == "secret"


async def test_a_key_that_expires_ends_its_stream_though_nothing_happens(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "SWEEP_SECONDS", 0.02)
    soon = timekeeping.machine_now() + timedelta(hours=1)
    listening = await hall.listen(await hall.caller(expires_at=soon))
    waits = await hall.waits(listening)
    monkeypatch.setattr(timekeeping, "machine_now", lambda: soon)
    assert (await waits)["close"][0] == 4403


async def test_a_lost_role_masks_what_comes_next(hall: Hall) -> None:
    lead = hall.house.staff[Role.TEAM_LEAD]
    listening = await hall.listen(await hall.caller(Role.TEAM_LEAD, user_id=lead.user_id))
    waits = await hall.waits(listening)
    await hall.happens("before")
    assert (await waits)["data"]["taskChanged"]["task"]["customer"]["name"] == "Wang Xiaoming"
    assert lead.user_id is not None
    waits = asyncio.create_task(listening.hear())
    await workspaces.update_user(hall.house.owner, lead.user_id, role=Role.ANALYST)
    await hall.happens("after")
    told = (await waits)["data"]["taskChanged"]["task"]
    assert (told["title"], told["customer"]["name"]) == ("after", "Wa*********ng")


async def test_a_changed_team_narrows_what_comes_next(hall: Hall) -> None:
    executor = hall.house.staff[Role.EXECUTOR]
    (team,) = executor.team_ids
    listening = await hall.listen(await hall.caller(Role.EXECUTOR, user_id=executor.user_id))
    waits = await hall.waits(listening)
    await hall.happens("of the team", team_id=team)
    assert (await waits)["data"]["taskChanged"]["task"]["title"] == "of the team"
    waits = asyncio.create_task(listening.hear())
    await workspaces.update_team(hall.house.owner, team, member_ids=[])
    await hall.happens("of the team, later", team_id=team)
    await hall.happens("for anybody")
    assert (await waits)["data"]["taskChanged"]["task"]["title"] == "for anybody"


async def test_a_group_ends_with_the_last_who_is_in_it(hall: Hall) -> None:
    caller = await hall.caller()
    waits = [await hall.waits(await hall.listen(caller)) for _ in range(2)]
    for left, each in ((1, waits[0]), (0, waits[1])):
        each.cancel()
        await asyncio.wait([each])
        assert (hall.members(), len(hall.hub.groups)) == (left, min(left, 1))
    assert hall.hub.tails._tails == {}
    assert hall.hub.credentials._held == {}


async def test_a_cursor_that_is_too_old_or_of_another_feed_asks_for_a_resync(hall: Hall) -> None:
    await hall.happens("1", "2")
    caller = await hall.caller()
    old = await live.cursor_at(hall.house.id, 1)
    assert "errors" not in await (await hall.listen(caller, after=old)).hear()
    await execute("UPDATE journal SET recorded_at = :at", at=timekeeping.machine_now() - timedelta(days=8))
    old = await live.cursor_at(hall.house.id, 1)
    document = "query ($after: String) { feed(after: $after) { nodes { change } head } }"
    for after in (old, await live.cursor_at(hall.house.id, 10_000)):
        told = await (await hall.listen(caller, after=after)).hear()
        assert told["errors"][0]["extensions"]["code"] == "RESYNC_REQUIRED"
        asked = await schema.execute(document, {"after": after}, context_value=Context(hall.house.owner))
        assert asked.errors is not None
        assert asked.errors[0].extensions["code"] == "RESYNC_REQUIRED"
    # Who has heard all there was goes on, however long ago that is.
    head = await schema.execute(document, context_value=Context(hall.house.owner))
    assert head.data is not None
    assert head.data["feed"]["nodes"] == []
    again = await hall.listen(caller, after=head.data["feed"]["head"])
    waits = await hall.waits(again, again.title())
    await hall.happens("3")
    assert await waits == "3"


async def lose_behind(house: House, place: int) -> None:
    """What a copy of the database is that was taken at a place."""
    await execute("DELETE FROM journal WHERE workspace_id = :w AND position > :p", w=house.id, p=place)
    await execute("UPDATE feeds SET head = :p, reacted = :p WHERE workspace_id = :w", w=house.id, p=place)


async def test_a_cursor_of_another_history_asks_for_a_resync_once_its_place_is_taken_again(
    hall: Hall,
) -> None:
    await hall.happens("1")
    caller, owner, number = await hall.caller(), hall.house.owner, hall.house.id
    copied = await feeds.head(number)
    kept = await live.cursor_at(number, copied)
    await hall.happens("2", "3")
    last = await feeds.head(number)
    lost = {place: await live.cursor_at(number, place) for place in range(copied + 1, last + 1)}
    await lose_behind(hall.house, copied)
    document = "query ($after: String) { feed(after: $after) { nodes { cursor } } }"

    async def codes_of(after: str) -> list[str]:
        told = await (await hall.listen(caller, after=after)).hear()
        asked = await schema.execute(document, {"after": after}, context_value=Context(owner))
        assert asked.errors is not None and asked.errors[0].extensions is not None
        return [told["errors"][0]["extensions"]["code"], asked.errors[0].extensions["code"]]

    assert await codes_of(lost[last]) == ["RESYNC_REQUIRED"] * 2, "the feed has not come so far"
    await hall.happens("two")
    assert await codes_of(lost[await feeds.head(number)]) == ["RESYNC_REQUIRED"] * 2, (
        "its head is another line"
    )
    await hall.happens("three", "four")
    assert await feeds.head(number) > last
    for after in lost.values():
        assert await codes_of(after) == ["RESYNC_REQUIRED"] * 2, "the feed is past it, on another way"
    again = await hall.listen(caller, after=kept)
    assert [await again.title() for _ in range(3)] == ["two", "three", "four"], "it was in the copy too"


async def test_a_cursor_of_before_there_were_marks_still_says_its_place(hall: Hall) -> None:
    await hall.happens("1", "2")
    caller, number = await hall.caller(), hall.house.id

    def of_before(place: object) -> str:
        return base64.urlsafe_b64encode(f"feed:{number}:{place}".encode()).decode().rstrip("=")

    head = await feeds.head(number)
    again = await hall.listen(caller, after=of_before(head - 1))
    assert await again.title() == "2"
    for wrong, code in (
        (of_before(head + 1), "RESYNC_REQUIRED"),
        (of_before(f"{head}:{'0' * 16}"), "RESYNC_REQUIRED"),
        (of_before(f"{head}:0:0"), "BAD_REQUEST"),
        (of_before("-1"), "BAD_REQUEST"),
    ):
        told = await (await hall.listen(caller, after=wrong)).hear()
        assert told["errors"][0]["extensions"]["code"] == code


FEED = (
    "subscription ($after: String) { feed(topics: [TASKS], after: $after) { cursor change topic objectId } }"
)


async def test_the_feed_says_when_nothing_happened_and_its_cursors_are_the_same_everywhere(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "QUIET_SECONDS", 0.05)
    listening = await hall.listen(await hall.caller(), FEED)
    quiet = (await listening.hear())["data"]["feed"]
    assert (quiet["change"], quiet["topic"], quiet["objectId"]) == ("feed.quiet", None, None)
    await hall.happens("1", "2")
    seen: list[dict[str, Any]] = []
    while len(seen) < 2:
        each = (await listening.hear())["data"]["feed"]
        seen += [each] if each["topic"] else []
    assert [each["change"] for each in seen] == ["task.opened"] * 2
    document = """query ($after: String) { feed(after: $after, first: 1, topics: [TASKS]) { totalCount
      nodes { cursor change objectId } pageInfo { hasNextPage endCursor } } }"""
    page = await schema.execute(document, {"after": quiet["cursor"]}, context_value=Context(hall.house.owner))
    assert page.data is not None, page.errors
    found = page.data["feed"]
    assert found["nodes"] == [{key: seen[0][key] for key in ("cursor", "change", "objectId")}]
    assert (found["totalCount"], found["pageInfo"]["hasNextPage"]) == (2, True)
    again = await hall.listen(await hall.caller(), after=found["pageInfo"]["endCursor"])
    assert await again.title() == "2"


async def test_an_executor_is_told_of_no_task_of_others_by_the_feed_either(hall: Hall) -> None:
    lead = hall.house.staff[Role.TEAM_LEAD].user_id
    start = await live.cursor_at(hall.house.id, await feeds.head(hall.house.id))
    await hall.happens("of the lead", assignee_id=lead)
    await hall.happens("of nobody")
    for role, count in ((Role.EXECUTOR, 1), (Role.OWNER, 2)):
        document = "query ($after: String) { feed(after: $after, topics: [TASKS]) { totalCount nodes { objectId } } }"
        context = Context(hall.house.staff[role])
        asked = await schema.execute(document, {"after": start}, context_value=context)
        assert asked.data is not None, asked.errors
        assert (asked.data["feed"]["totalCount"], len(asked.data["feed"]["nodes"])) == (count, count)


@contextlib.asynccontextmanager
async def on_server(database: str, **more: Any) -> AsyncIterator[str]:
    settings = Settings(DATABASE_URL=database, **more)
    async with served(app.create(settings, Vitals(settings))) as host:
        yield host


async def opened(stack: contextlib.AsyncExitStack, host: str, caller: app.Caller) -> Any:
    socket = await stack.enter_async_context(
        connect(f"ws://{host}/graphql", subprotocols=["graphql-transport-ws"])  # type: ignore[list-item]
    )
    await socket.send(
        json.dumps({"type": "connection_init", "payload": {"Authorization": caller.authorization}})
    )
    return socket


async def test_so_many_connections_a_key_and_a_workspace_have_and_no_more(hall: Hall, database: str) -> None:
    callers = [await hall.caller() for _ in range(3)]
    caps = {"CARELINE_SOCKETS_PER_KEY": 2, "CARELINE_SOCKETS_PER_WORKSPACE": 3}
    async with on_server(database, **caps) as host, contextlib.AsyncExitStack() as stack, asyncio.timeout(20):
        held = []
        for caller in (callers[0], callers[0], callers[1]):
            held.append(await opened(stack, host, caller))
            assert json.loads(await held[-1].recv())["type"] == "connection_ack"
        for caller, limit in (
            (callers[0], "caller: 3, and the limit is 2"),
            (callers[2], "workspace: 4, and"),
        ):
            socket = await opened(stack, host, caller)
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            assert limit in closed.value.rcvd.reason
        async with httpx2.AsyncClient() as http:
            headers = {"Authorization": callers[0].authorization or "", "Accept": "text/event-stream"}
            answer = await http.post(f"http://{host}/graphql", json={"query": CHANGES}, headers=headers)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["limit"]) == (
                429,
                "socketsPerKey",
            )
        await held[0].close()
        while True:  # the place is free once the server has seen that it is gone
            socket = await opened(stack, host, callers[0])
            with contextlib.suppress(ConnectionClosed):
                if json.loads(await socket.recv())["type"] == "connection_ack":
                    break


async def test_so_many_connections_a_process_has_and_no_more_whoever_they_are_of(
    hall: Hall, database: str
) -> None:
    caller = await hall.caller()
    headers = {"Authorization": caller.authorization or "", "Accept": "text/event-stream"}
    sent: Any = {"json": {"query": CHANGES}, "headers": headers}
    async with (
        on_server(database, CARELINE_SOCKETS_PER_PROCESS=2) as host,
        httpx2.AsyncClient() as http,
        contextlib.AsyncExitStack() as stack,
        asyncio.timeout(20),
    ):
        url, held = f"http://{host}/graphql", contextlib.AsyncExitStack()
        protocols: Any = ["graphql-transport-ws"]
        # One that never says who it is, and a stream of events: both count.
        await stack.enter_async_context(connect(f"ws://{host}/graphql", subprotocols=protocols))
        answer = await held.enter_async_context(http.stream("POST", url, **sent))
        assert answer.status_code == 200
        refused = await http.post(url, **sent)
        assert (refused.status_code, refused.json()["errors"][0]["extensions"]) == (
            429,
            {"code": "LIMITED", "limit": "socketsPerProcess", "maximum": 2, "measured": 3},
        )
        socket = await stack.enter_async_context(connect(f"ws://{host}/graphql", subprotocols=protocols))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, "server: 3, and" in closed.value.rcvd.reason) == (1013, True)
        asked = await http.post(
            url, json={"query": "{ viewer { role } }"}, headers=headers | {"Accept": "application/json"}
        )
        assert asked.status_code == 200, "what is answered at once is no connection"
        await held.aclose()
        while True:  # the place is free once the server has seen that it is gone
            async with http.stream("POST", url, **sent) as answer:
                if answer.status_code == 200:
                    break


async def test_a_browser_comes_back_with_the_last_event_it_saw(hall: Hall, database: str) -> None:
    caller = await hall.caller()
    start = await live.cursor_at(hall.house.id, await feeds.head(hall.house.id))
    await hall.happens("1", "2", "3")
    query = "subscription { taskChanged { cursor task { title } } }"
    seen: list[tuple[str, str]] = []
    async with on_server(database) as host, httpx2.AsyncClient() as http, asyncio.timeout(20):
        while len(seen) < 3:
            headers = {"Authorization": caller.authorization or "", "Accept": "text/event-stream"}
            headers["Last-Event-ID"] = seen[-1][0] if seen else start
            async with http.stream(
                "POST", f"http://{host}/graphql", json={"query": query}, headers=headers
            ) as answer:
                identity = ""
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        identity = line[4:]
                    elif line.startswith("data: "):
                        seen.append((identity, json.loads(line[6:])["data"]["taskChanged"]["task"]["title"]))
                        break
    assert [title for _, title in seen] == ["1", "2", "3"]


@pytest.mark.parametrize("last", ["garbage", "%00", "é", "ZmVlZDo5OTk6MQ", "a" * 300, "=", "-1"])
async def test_a_last_event_that_was_none_of_this_feed_is_refused(
    hall: Hall, database: str, last: str
) -> None:
    caller = await hall.caller()
    sent = [
        (b"authorization", (caller.authorization or "").encode()),
        (b"accept", b"text/event-stream"),
        (b"last-event-id", last.encode()),
    ]
    async with on_server(database) as host, httpx2.AsyncClient() as http, asyncio.timeout(20):
        answer = await http.post(f"http://{host}/graphql", json={"query": CHANGES}, headers=sent)
    first, end, rest = answer.text.split("\n\n")
    said = json.loads(first.removeprefix("event: next\ndata: "))
    assert [error["extensions"]["code"] for error in said["errors"]] == ["BAD_REQUEST"]
    assert (end, rest) == ("event: complete\ndata: ", "")


async def test_a_stream_of_events_whose_key_was_revoked_ends_with_the_reason(
    hall: Hall, database: str
) -> None:
    caller = await hall.caller()
    headers = {"Authorization": caller.authorization or "", "Accept": "text/event-stream"}
    async with (
        on_server(database) as host,
        httpx2.AsyncClient() as http,
        asyncio.timeout(20),
        http.stream("POST", f"http://{host}/graphql", json={"query": CHANGES}, headers=headers) as answer,
    ):
        await workspaces.revoke_key(hall.house.owner, caller.principal.id)
        await hall.numbered()
        lines = [line async for line in answer.aiter_lines() if line]
    said = json.loads(lines[-3].removeprefix("data: "))
    assert [error["extensions"]["code"] for error in said["errors"]] == ["FORBIDDEN"]
    assert "data" not in said
    assert lines[-2:] == ["event: complete", "data: "]


async def test_a_socket_whose_key_was_revoked_is_closed(hall: Hall, database: str) -> None:
    caller = await hall.caller()
    async with on_server(database) as host, contextlib.AsyncExitStack() as stack, asyncio.timeout(20):
        socket = await opened(stack, host, caller)
        await socket.recv()
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": CHANGES}}))
        await socket.send(json.dumps({"type": "ping"}))
        assert json.loads(await socket.recv()) == {"type": "pong"}
        await workspaces.revoke_key(hall.house.owner, caller.principal.id)
        await hall.numbered()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4403
