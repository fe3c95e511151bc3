"""A replay is of what its reader may see now, not of what it might see when it began."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import app, live
from api.context import Context
from api.limits import Buckets, Terms
from api.live import standing
from domain import feeds, tasks, workspaces
from domain.access import Role
from domain.db import enter
from tests.api.test_live import Hall
from tests.conftest import House


@pytest.fixture
async def hall(house: House) -> AsyncIterator[Hall]:
    opened = Hall(house)
    await opened.numbered()
    yield opened
    for listening in opened.open:
        await listening.pushes.aclose()


async def doubted(hall: Hall) -> None:
    """Until what happened to people has reached those who listen."""
    await hall.numbered()
    async with asyncio.timeout(10):
        while not any(each.stale for each in hall.hub.credentials._held.values()):
            await asyncio.sleep(0.001)


async def known_as(hall: Hall, caller: app.Caller, role: Role) -> None:
    """Until a caller's standing has been read again, though it asked for nothing."""
    async with asyncio.timeout(10):
        while hall.hub.credentials._held[caller.authorization or ""].caller.principal.role is not role:
            await asyncio.sleep(0.001)


async def demoted(hall: Hall, role: Role = Role.ANALYST) -> None:
    lead = hall.house.staff[Role.TEAM_LEAD].user_id
    assert lead is not None
    await workspaces.update_user(hall.house.owner, lead, role=role)


async def lead_of(hall: Hall) -> app.Caller:
    return await hall.caller(Role.TEAM_LEAD, user_id=hall.house.staff[Role.TEAM_LEAD].user_id)


async def start_of(hall: Hall) -> str:
    return await live.cursor_at(hall.house.id, await feeds.head(hall.house.id))


async def test_what_is_replayed_is_masked_from_the_change_of_a_role_on(hall: Hall) -> None:
    start = await start_of(hall)
    await hall.happens(*"012345")
    listening = await hall.listen(await lead_of(hall), after=start)
    heard = [await listening.hear() for _ in range(2)]
    await demoted(hall)
    await doubted(hall)
    heard += [await listening.hear() for _ in range(4)]
    shown = [each["data"]["taskChanged"]["task"] for each in heard]
    assert [each["title"] for each in shown] == list("012345")  # nothing is lost, and nothing told twice
    masked = ["*" in each["customer"]["name"] for each in shown]
    assert masked == [False] * 2 + [True] * 4
    waits = await hall.waits(listening, listening.title())
    await hall.happens("live")
    assert await waits == "live"


async def test_a_slow_reader_of_a_long_replay_is_looked_at_again(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "SWEEP_SECONDS", 0.02)
    start = await start_of(hall)
    await hall.happens(*"0123")
    caller = await lead_of(hall)
    listening = await hall.listen(caller, after=start)
    assert await listening.title() == "0"
    await demoted(hall)
    await known_as(hall, caller, Role.ANALYST)  # found out, and no longer in doubt, when it reads on
    told = [(await listening.hear())["data"]["taskChanged"]["task"] for _ in range(2)]
    assert [each["title"] for each in told] == ["1", "2"]
    assert all("*" in each["customer"]["name"] for each in told)
    await workspaces.revoke_key(hall.house.owner, caller.principal.id)
    async with asyncio.timeout(10):
        while not hall.hub.credentials._held[caller.authorization or ""].ended:
            await asyncio.sleep(0.001)
    assert (await listening.hear())["close"] == (4403, "Forbidden")


async def test_a_changed_team_narrows_what_is_replayed(hall: Hall) -> None:
    executor = hall.house.staff[Role.EXECUTOR]
    (team,) = executor.team_ids
    start = await start_of(hall)
    await hall.happens("0", "1", "2", team_id=team)
    await hall.happens("for anybody")
    listening = await hall.listen(await hall.caller(Role.EXECUTOR, user_id=executor.user_id), after=start)
    assert await listening.title() == "0"
    await workspaces.update_team(hall.house.owner, team, member_ids=[])
    await doubted(hall)
    assert await listening.title() == "for anybody"


async def test_a_first_event_that_is_made_again_is_paid_for_once(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = Buckets(10_000, 0.001)
    prices: list[float] = []

    def context(caller: Any, _: Any) -> Context:
        enter(caller.principal.workspace_id)
        return Context(caller.principal, caller.authorization, terms=Terms(buckets=buckets))

    async def left(caller: app.Caller) -> float:
        return (await buckets.take(f"{hall.house.id}:{caller.principal.label}", 0)).available

    hall.hub.make_context = context
    start = await start_of(hall)
    await hall.happens("0", "1")
    caller, matching = await lead_of(hall), tasks.matching

    async def meanwhile(who: Any, where: Any, task_id: int) -> Any:
        found = await matching(who, where, task_id)
        if not prices:
            prices.append(10_000 - await left(caller))
            await demoted(hall)
            await doubted(hall)
        return found

    monkeypatch.setattr(tasks, "matching", meanwhile)
    listening = await hall.listen(caller, after=start)
    told = [(await listening.hear())["data"]["taskChanged"]["task"] for _ in range(2)]
    assert [each["title"] for each in told] == ["0", "1"]
    assert all("*" in each["customer"]["name"] for each in told)
    assert prices[0] > 1
    assert 10_000 - await left(caller) == pytest.approx(prices[0], abs=0.5)
