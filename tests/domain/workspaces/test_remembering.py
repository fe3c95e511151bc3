"""Who stood behind a credential is remembered for a second, and forgotten with whatever changes it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from domain import db, timekeeping, workspaces
from domain.access import Principal, Role
from domain.workspaces import BadCredential, Team, remembering
from tests.conftest import House, build_house

keys = import_module("domain.workspaces.keys")  # of the package, `keys` is a question
Change = Callable[[House, Principal], Awaitable[Any]]


class Clock:
    """Machine time that stands still until it is turned."""

    def __init__(self) -> None:
        self.now: datetime = timekeeping.machine_now()

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timekeeping, "machine_now", lambda: clock.now)
    return clock


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were looked up."""
    seen: list[str] = []
    real = keys._principal

    async def noted(key_id: str, secret: str) -> Any:
        seen.append(key_id)
        return await real(key_id, secret)

    monkeypatch.setattr(keys, "_principal", noted)
    return seen


async def _bearer(house: House, role: Role = Role.PLANNER, **given: Any) -> str:
    user_id = house.staff[role].user_id
    made = await workspaces.create_key(house.owner, name="k", role=role, user_id=user_id, **given)
    return f"Bearer {made.secret}"


async def test_a_key_is_looked_up_once_a_second(house: House, clock: Clock, looks: list[str]) -> None:
    bearer = await _bearer(house)
    first = await workspaces.authenticate(bearer)
    clock.turn(0.999)
    assert await workspaces.authenticate(bearer) == first and len(looks) == 1
    clock.turn(0.001)
    assert await workspaces.authenticate(bearer) == first and len(looks) == 2
    assert await workspaces.authenticate(bearer, anew=True) == first and len(looks) == 3
    clock.turn(-1)  # the database's clock was read anew
    assert await workspaces.authenticate(bearer) == first and len(looks) == 4


async def test_what_another_process_ends_is_over_a_second_later(house: House, clock: Clock) -> None:
    bearer = await _bearer(house)
    await workspaces.authenticate(bearer)
    await db.execute("UPDATE api_keys SET revoked_at = {now}")
    await workspaces.authenticate(bearer)
    with pytest.raises(BadCredential):
        await workspaces.authenticate(bearer, anew=True)
    clock.turn(1)
    with pytest.raises(BadCredential):
        await workspaces.authenticate(bearer)


async def test_a_key_is_not_remembered_beyond_its_end(house: House, clock: Clock) -> None:
    bearer = await _bearer(house, expires_at=clock.now + timedelta(seconds=0.5))
    await workspaces.authenticate(bearer)
    clock.turn(0.499)
    await workspaces.authenticate(bearer)
    clock.turn(0.001)
    with pytest.raises(BadCredential):
        await workspaces.authenticate(bearer)


async def test_a_refusal_is_not_remembered(house: House, clock: Clock, looks: list[str]) -> None:
    bearer = await _bearer(house)
    await db.execute("UPDATE api_keys SET revoked_at = {now}")
    for _ in range(2):
        with pytest.raises(BadCredential):
            await workspaces.authenticate(bearer)
    await db.execute("UPDATE api_keys SET revoked_at = NULL")
    await workspaces.authenticate(bearer)
    assert len(looks) == 3


async def test_another_secret_of_the_same_key_is_another_credential(house: House, clock: Clock) -> None:
    bearer = await _bearer(house)
    await workspaces.authenticate(bearer)
    for other in (bearer[:-1], bearer + "x", bearer.rpartition("_")[0] + "_x", "Bearer \ud800"):
        with pytest.raises(BadCredential):
            await workspaces.authenticate(other)


async def _team(house: House) -> Team:
    return await Team.get(workspace_id=house.id)


async def _revoked(house: House, who: Principal) -> None:
    await workspaces.revoke_key(house.owner, who.id)


async def _demoted(house: House, who: Principal) -> None:
    assert who.user_id is not None
    await workspaces.update_user(house.owner, who.user_id, role=Role.SUPPORT)


async def _gone(house: House, who: Principal) -> None:
    assert who.user_id is not None
    await workspaces.deactivate_user(house.owner, who.user_id)


async def _out_of_the_team(house: House, who: Principal) -> None:
    await workspaces.update_team(house.owner, (await _team(house)).id, member_ids=[])


async def _in_another_team(house: House, who: Principal) -> None:
    assert who.user_id is not None
    await workspaces.create_team(house.owner, name="Night", member_ids=[who.user_id])


@pytest.mark.parametrize("change", [_revoked, _demoted, _gone, _out_of_the_team, _in_another_team])
async def test_what_this_process_changes_counts_at_once(house: House, clock: Clock, change: Change) -> None:
    bearer = await _bearer(house)
    before = await workspaces.authenticate(bearer)
    await change(house, before)
    after: Principal | None
    try:
        after = await workspaces.authenticate(bearer)
    except BadCredential:
        after = None
    if change in (_revoked, _gone):
        assert after is None
    else:
        assert after is not None and after != before
        assert replace(after, role=before.role, team_ids=before.team_ids) == before


async def test_a_change_while_a_key_is_looked_up_is_not_missed(
    house: House, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = await _bearer(house)
    real = keys._principal

    async def slow(key_id: str, secret: str) -> Any:
        found = await real(key_id, secret)
        await workspaces.revoke_key(house.owner, found[0].id)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(keys, "_principal", slow)
        await workspaces.authenticate(bearer)
    with pytest.raises(BadCredential):
        await workspaces.authenticate(bearer)


async def test_another_database_knows_nobody(database_url: str, clock: Clock) -> None:
    db.enter_everywhere()
    async with db.open_database(database_url):
        bearer = await _bearer(await build_house())
        await workspaces.authenticate(bearer)
        name = remembering.name_of(bearer.removeprefix("Bearer "))
        assert remembering.recall(name) is not None
    async with db.open_database(database_url):
        assert remembering.recall(name) is None


async def test_only_so_many_are_remembered(
    house: House, clock: Clock, looks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "MOST", 2)
    bearers = [await _bearer(house) for _ in range(3)]
    for bearer in [*bearers, bearers[0], bearers[2]]:
        await workspaces.authenticate(bearer)
    assert len(looks) == 4  # the first was forgotten, the last was not


async def test_workspaces_do_not_meet(house: House, clock: Clock) -> None:
    other = await build_house("Other")
    mine, theirs = await _bearer(house), await _bearer(other)
    for _ in range(2):
        assert (await workspaces.authenticate(mine)).workspace_id == house.id
        assert (await workspaces.authenticate(theirs)).workspace_id == other.id
