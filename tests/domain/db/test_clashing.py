"""What the database undid because of another is done again; what is wrong by itself is not for ever."""

import asyncpg
import pytest
from tortoise.exceptions import IntegrityError

from domain import db, timekeeping
from domain.db.clashing import TRIES
from domain.workspaces import Team
from tests.conftest import House

CLASHES = [
    asyncpg.DeadlockDetectedError("two at once"),
    asyncpg.SerializationError("try again"),
    asyncpg.UniqueViolationError("a row is there"),
    IntegrityError(asyncpg.UniqueViolationError("a row is there")),
]
OTHERS = [
    ValueError("ours"),
    asyncpg.ForeignKeyViolationError("to nothing"),
    asyncpg.QueryCanceledError("too slow"),
    ConnectionResetError("nobody knows whether it was done"),
]


class Meeting:
    """An action that makes a row and fails so many times."""

    def __init__(self, house: House, error: Exception, fails: int) -> None:
        self.house, self.error, self.fails, self.called = house, error, fails, 0

    async def __call__(self) -> str:
        self.called += 1
        async with db.transaction():
            await Team.create(
                workspace_id=self.house.id,
                name=f"Try {self.called}",
                created_at=timekeeping.machine_now(),
            )
            if self.called <= self.fails:
                raise self.error
        return "done"

    async def made(self) -> list[str]:
        return [team.name for team in await Team.filter(workspace_id=self.house.id, name__startswith="Try")]


@pytest.mark.parametrize("error", CLASHES, ids=repr)
async def test_what_clashed_is_done_again_and_once(house: House, error: Exception) -> None:
    action = Meeting(house, error, fails=1)
    assert await db.again_after_a_clash(action) == "done"
    assert (action.called, await action.made()) == (2, ["Try 2"])


@pytest.mark.parametrize("error", CLASHES, ids=repr)
async def test_what_always_clashes_is_told_in_the_end(house: House, error: Exception) -> None:
    action = Meeting(house, error, fails=100)
    with pytest.raises(type(error)):
        await db.again_after_a_clash(action)
    assert (action.called, await action.made()) == (TRIES, [])


@pytest.mark.parametrize("error", OTHERS, ids=repr)
async def test_what_fails_by_itself_is_done_once(house: House, error: Exception) -> None:
    action = Meeting(house, error, fails=1)
    with pytest.raises(type(error)):
        await db.again_after_a_clash(action)
    assert (action.called, await action.made()) == (1, [])


async def test_within_another_transaction_it_is_for_that_one_to_be_done_again(house: House) -> None:
    action = Meeting(house, CLASHES[0], fails=1)
    with pytest.raises(asyncpg.DeadlockDetectedError):
        async with db.transaction():
            await db.again_after_a_clash(action)
    assert action.called == 1
    assert await db.again_after_a_clash(action) == "done"
    assert await action.made() == ["Try 2"]
