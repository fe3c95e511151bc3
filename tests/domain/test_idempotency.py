"""One key, one effect: replayed, refused with another input, and free again after a rollback."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain import db, idempotency, timekeeping
from domain.access import Principal, Role
from domain.errors import ErrorCode, Invalid
from domain.idempotency import IdempotencyKey, KeyReused, fingerprint
from domain.workspaces import Team
from tests.conftest import House, build_house

HASH = fingerprint({"name": "A"})


class Failed(Exception):
    """What an effect raises so that its transaction is rolled back."""


async def _effect(
    who: Principal, key: str = "k", mutation: str = "teamAdd", hashed: str = HASH, fails: bool = False
) -> Any:
    """Make a row under a key, or give the earlier result."""
    async with db.transaction():
        earlier = await idempotency.begin(who, key, mutation, hashed)
        if earlier is not None:
            return earlier
        count = await Team.filter(workspace_id=who.workspace_id, name__startswith="T").count()
        team = await Team.create(
            workspace_id=who.workspace_id, name=f"T{count}", created_at=timekeeping.machine_now()
        )
        await asyncio.sleep(0)
        if fails:
            raise Failed
        await idempotency.finish(who, key, {"id": team.id})
        return {"id": team.id}


async def _made(house: House) -> list[int]:
    return [team.id for team in await Team.filter(workspace_id=house.id, name__startswith="T").order_by("id")]


async def test_the_same_key_and_input_give_the_first_result_again(house: House) -> None:
    first = await _effect(house.admin)
    assert [await _effect(house.admin) for _ in range(3)] == [first] * 3
    assert await _made(house) == [first["id"]]


@pytest.mark.parametrize(
    "other", [{"hashed": fingerprint({"name": "B"})}, {"mutation": "teamRemove"}], ids=["input", "mutation"]
)
async def test_the_same_key_with_something_else_is_refused(house: House, other: dict[str, Any]) -> None:
    first = await _effect(house.admin)
    with pytest.raises(KeyReused) as refused:
        await _effect(house.admin, **other)
    problem = refused.value.problems[0]
    assert (problem.code, problem.field) == (ErrorCode.IDEMPOTENCY_MISMATCH, ("idempotencyKey",))
    assert await _made(house) == [first["id"]]
    assert await _effect(house.admin) == first, "the refusal changed nothing"


async def test_a_key_belongs_to_its_caller_and_workspace(house: House) -> None:
    other = await build_house("Other")
    results = [(await _effect(who))["id"] for who in (house.admin, house.staff[Role.PLANNER], other.admin)]
    assert len(set(results)) == 3
    assert (len(await _made(house)), len(await _made(other))) == (2, 1)


async def test_a_rollback_frees_the_key(house: House) -> None:
    with pytest.raises(Failed):
        await _effect(house.admin, fails=True)
    assert await IdempotencyKey.filter(workspace_id=house.id).count() == 0
    assert await _made(house) == []
    done = await _effect(house.admin, hashed=fingerprint({"name": "B"}))
    assert await _made(house) == [done["id"]]


async def test_twenty_callers_at_once_have_one_effect(house: House) -> None:
    async with asyncio.timeout(30):
        results = await asyncio.gather(*(_effect(house.admin) for _ in range(20)))
    assert await _made(house) == [results[0]["id"]]
    assert results == [results[0]] * 20


async def test_when_the_first_of_many_fails_the_next_one_does_it(house: House) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def fails_first() -> Any:
        async with db.transaction():
            assert await idempotency.begin(house.admin, "k", "teamAdd", HASH) is None
            begun.set()
            await goes_on.wait()
            raise Failed

    async with asyncio.timeout(30):
        first = asyncio.create_task(fails_first())
        await begun.wait()
        others = [asyncio.create_task(_effect(house.admin, fails=n % 2 == 0)) for n in range(20)]
        await asyncio.sleep(0)  # each has begun, and none can be ahead of the first
        goes_on.set()
        results = await asyncio.gather(first, *others, return_exceptions=True)
    (made,) = await _made(house)
    assert isinstance(results[0], Failed)
    assert all(isinstance(result, Failed) or result == {"id": made} for result in results)
    assert [result for n, result in enumerate(results[1:]) if n % 2] == [{"id": made}] * 10


async def test_of_callers_with_other_inputs_at_once_one_has_the_key(house: House) -> None:
    async with asyncio.timeout(30):
        results = await asyncio.gather(
            *(_effect(house.admin, hashed=fingerprint({"n": n})) for n in range(20)), return_exceptions=True
        )
    (made,) = await _made(house)
    assert results.count({"id": made}) == 1
    assert sum(isinstance(result, KeyReused) for result in results) == 19


@pytest.mark.parametrize("key", ["", "k" * 129])
async def test_a_key_that_is_too_short_or_long_is_refused(house: House, key: str) -> None:
    with pytest.raises(Invalid) as refused:
        await _effect(house.admin, key=key)
    assert refused.value.problems[0].field == ("idempotencyKey",)
    assert await _made(house) == []
    assert await IdempotencyKey.all().count() == 0


async def test_a_key_may_be_as_long_as_allowed_and_of_any_letters(house: House) -> None:
    for key in ("k" * 128, "中" * 128, "'; --"):
        first = await _effect(house.admin, key=key)
        assert await _effect(house.admin, key=key) == first
    assert len(await _made(house)) == 3


async def test_pruning_forgets_old_keys_and_only_those(house: House) -> None:
    first = await _effect(house.admin, key="old")
    limit = timekeeping.machine_now() + timedelta(microseconds=1)
    await db.execute(
        "UPDATE idempotency_keys SET created_at = :at WHERE key = 'old'", at=limit - timedelta(hours=49)
    )
    kept = await _effect(house.admin, key="new")
    assert await idempotency.prune(limit - timedelta(hours=idempotency.KEPT_HOURS)) == 1
    assert await _effect(house.admin, key="new") == kept
    assert await _effect(house.admin, key="old") != first


def test_a_fingerprint_is_of_the_values_not_of_their_order() -> None:
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    different: list[dict[str, Any]] = [
        {"a": 1},
        {"a": "1"},
        {"a": None},
        {},
        {"a": [1]},
        {"b": 1},
        {"a": True},
        {"a": {"a": 1}},
    ]
    assert len({fingerprint(arguments) for arguments in different}) == len(different)
    assert len(HASH) == 64
