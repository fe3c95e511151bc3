"""A row changes only from the state its caller saw, and only in its own workspace."""

import asyncio

import pytest

from domain import db
from domain.access import Role
from domain.errors import Conflict, NotFound
from domain.workspaces import Team, User
from tests.conftest import House, build_house


async def _team(house: House) -> Team:
    return await Team.get(workspace_id=house.id, name="Care")


async def test_a_change_is_written_and_raises_the_version(house: House) -> None:
    team = await _team(house)
    assert await team.change(name="Help")
    stored = await Team.get(id=team.id)
    assert (team.name, team.version) == (stored.name, stored.version) == ("Help", 2)


async def test_a_change_writes_only_what_it_names(house: House) -> None:
    seen = await User.get(workspace_id=house.id, role=Role.PLANNER)
    other = await User.get(id=seen.id)
    assert await other.change(name="Pat")
    assert not await seen.change(active=False)
    stored = await User.get(id=seen.id)
    assert (stored.name, stored.active, stored.version) == ("Pat", True, 2)


async def test_of_two_callers_who_saw_the_same_row_one_changes_it(house: House) -> None:
    for round_ in range(5):
        callers = [await _team(house) for _ in range(2)]
        before = callers[0].version
        done = await asyncio.gather(*(team.change(created_at=team.created_at) for team in callers))
        assert sorted(done) == [False, True], round_
        assert (await _team(house)).version == before + 1


async def test_of_twenty_callers_in_transactions_one_changes_it(house: House) -> None:
    async def caller(team: Team, n: int) -> bool:
        async with db.transaction():
            return await team.change(name=f"T{n}")

    teams = [await _team(house) for _ in range(20)]
    done = await asyncio.gather(*(caller(team, n) for n, team in enumerate(teams)))
    assert sum(done) == 1
    stored = await Team.get(id=teams[0].id)
    assert (stored.name, stored.version) == (f"T{done.index(True)}", 2)


async def test_who_lost_keeps_what_it_read(house: House) -> None:
    winner, loser = await _team(house), await _team(house)
    assert await winner.change(name="Help")
    assert not await loser.change(name="Aid")
    assert (loser.name, loser.version) == ("Care", 1)


async def test_a_change_holds_to_what_is_given(house: House) -> None:
    user = await User.get(workspace_id=house.id, role=Role.PLANNER)
    assert not await user.change({"active": False}, name="Never")
    assert (await User.get(id=user.id)).name == user.name
    assert await user.change({"active": True}, name="Pat")


async def test_a_change_that_must_be_raises_with_the_row_as_it_is(house: House) -> None:
    winner, loser = await _team(house), await _team(house)
    await winner.must_change(name="Help")
    with pytest.raises(Conflict) as refused:
        await loser.must_change(name="Aid")
    current = refused.value.current
    assert isinstance(current, Team)
    assert (current.id, current.name, current.version) == (winner.id, "Help", 2)
    assert (await Team.get(id=winner.id)).name == "Help"


async def test_a_row_that_is_gone_is_not_changed(house: House) -> None:
    user, seen = [await User.get(workspace_id=house.id, role=Role.PLANNER) for _ in range(2)]
    await db.execute("DELETE FROM team_members WHERE user_id = :id", id=user.id)
    await user.delete()
    with pytest.raises(Conflict) as refused:
        await seen.must_change(name="Ghost")
    assert refused.value.current is None
    assert await User.filter(id=seen.id).count() == 0


async def test_a_change_that_is_rolled_back_never_was(house: House) -> None:
    team = await _team(house)
    with pytest.raises(RuntimeError):
        async with db.transaction():
            await team.must_change(name="Help")
            raise RuntimeError
    stored = await _team(house)
    assert (stored.name, stored.version) == ("Care", 1)


async def test_another_workspace_s_row_is_not_found(house: House) -> None:
    other = await build_house("Other")
    theirs = await _team(other)
    with pytest.raises(NotFound) as refused:
        await Team.load(house.id, theirs.id)
    assert await Team.find(house.id, theirs.id) is None
    assert await Team.by_ids(house.id, [theirs.id]) == {}
    with pytest.raises(NotFound) as absent:
        await Team.load(house.id, 10**12)
    assert str(refused.value) == str(absent.value)
    theirs.workspace_id = house.id
    assert not await theirs.change(name="Ours")
    assert (await _team(other)).name == "Care"


async def test_rows_by_ids_come_with_their_ids_and_once(house: House) -> None:
    users = await User.filter(workspace_id=house.id).order_by("id")
    wanted = [users[2].id, users[0].id, users[2].id, 10**12]
    assert {row.id: row.email for row in (await User.by_ids(house.id, wanted)).values()} == {
        users[0].id: users[0].email,
        users[2].id: users[2].email,
    }
    assert await User.by_ids(house.id, []) == {}


async def test_another_version_than_expected_is_a_conflict(house: House) -> None:
    team = await _team(house)
    team.expect(None)
    team.expect(1)
    with pytest.raises(Conflict) as refused:
        team.expect(2)
    assert refused.value.current is team
    assert refused.value.problems[0].field == ("expectedVersion",)
