"""The same key and the same input: one effect and one answer, for every mutation there is."""

import asyncio
from typing import Any

from api.ids import global_id
from domain import runs
from domain.access import Role
from domain.customers import Customer, Order
from domain.idempotency import IdempotencyKey
from domain.runs import Run, RunState
from domain.tasks import Task
from domain.workspaces import Team
from tests.security import surface
from tests.security.calls import type_of_id
from tests.security.conftest import Place
from tests.security.filling import ids_of_nothing
from tests.security.rows import differences, snapshot
from tests.security.test_roles import codes

MUTATIONS = surface.root("mutation").fields
OTHER = {"String": "other", "DateTime": "2025-03-04T00:00:00Z", "Decimal": "0.3"}


TOLD_ONCE = {"apiKeyCreate", "webhookCreate", "webhookSecretRotate"}
"""Their payload has a secret."""


def value_at(given: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        given = given.get(name) or {}
    return given


def another_input(name: str, given: dict[str, Any]) -> dict[str, Any] | None:
    """The same call with one value changed; none where nothing was given."""
    for leaf in surface.leaves(MUTATIONS[name]):
        if leaf.name != "idempotencyKey" and value_at(given, leaf.path):
            if leaf.scalar == "ID":
                return surface.with_value(given, leaf, ids_of_nothing()[type_of_id(name, leaf.path)])
            if leaf.scalar in OTHER:
                return surface.with_value(given, leaf, OTHER[leaf.scalar])
    return None


async def test_for_every_mutation_the_same_key_twice_is_one_effect_and_one_answer(place: Place) -> None:
    for name in MUTATIONS:
        # Each finds an open task, also after those that close one.
        work = await place.owner.done("taskCreate", place.valid("taskCreate"))
        place.ids["Task"] = work["task"]["id"]
        key = f"once {name}"
        given = {**place.valid(name), "idempotencyKey": key}
        await refused_with_the_key(place, name, given)
        first = await place.owner.done(name, given)
        after = await snapshot()
        again = await place.owner.done(name, given)
        if name in TOLD_ONCE:
            assert first.pop("secret")
            assert again.pop("secret") is None
        assert again == first, name
        assert differences(after, await snapshot()) == {}, name
        await refused_with_another_input(place, name, given)
        assert differences(after, await snapshot()) == {}, name


async def refused_with_the_key(place: Place, name: str, given: dict[str, Any]) -> None:
    """A refusal leaves the key free: the call that follows is not taken for another one."""
    for leaf in surface.leaves(MUTATIONS[name]):
        if leaf.scalar == "ID":
            bad = surface.with_value(given, leaf, ids_of_nothing()[type_of_id(name, leaf.path)])
            told = await place.owner.call("mutation", name, bad)
            assert told["data"][name]["__typename"] == "Refusal", (name, leaf.name)
    assert await IdempotencyKey.filter(key=given["idempotencyKey"]).count() == 0


async def refused_with_another_input(place: Place, name: str, given: dict[str, Any]) -> None:
    """The same key for other arguments, or for another mutation."""
    other = another_input(name, given)
    second = "taskStart" if name != "taskStart" else "kpiSnapshot"
    for called, arguments in ((name, other), (second, place.valid(second))):
        if arguments is not None:
            told = await place.owner.call(
                "mutation", called, {**arguments, "idempotencyKey": given["idempotencyKey"]}
            )
            (reason,) = told["data"][called]["userErrors"]
            assert (reason["code"], reason["field"]) == ("IDEMPOTENCY_MISMATCH", ["idempotencyKey"]), name


async def test_two_callers_with_one_key_do_not_meet(place: Place, stranger: Place) -> None:
    given = {**place.valid("taskCreate"), "idempotencyKey": "shared"}
    before = await Task.all().count()
    made = [
        (await caller.done("taskCreate", given))["task"]["id"]
        for caller in (place.owner, place.callers[Role.ADMIN], await place.caller(Role.OWNER))
    ]
    theirs = {**stranger.valid("taskCreate"), "idempotencyKey": "shared"}
    made.append((await stranger.owner.done("taskCreate", theirs))["task"]["id"])
    assert len(set(made)) == 4
    assert await Task.all().count() == before + 4


async def test_twenty_at_once_are_one(place: Place) -> None:
    """Each of them waits for the first, and then has its answer."""
    for name in ("taskCreate", "customerUpsert", "orderRecord", "interactionRecord", "reportBuild"):
        given = {**place.valid(name), "idempotencyKey": f"at once {name}"}
        before = await snapshot()
        told = await asyncio.gather(*(place.owner.call("mutation", name, given) for _ in range(20)))
        assert codes(told[0]) == [], told[0]
        assert told[0]["data"][name]["__typename"] == f"{name[0].upper()}{name[1:]}Payload"
        assert [one for one in told if one != told[0]] == [], name
        changed = differences(before, await snapshot())
        assert len(changed["idempotency_keys"]) == 1, name
        written = {row[3] for row in changed["journal"]}
        assert len(changed["journal"]) == len(written), (name, "each line is written once")
    assert await Order.filter(workspace_id=place.house.id, external_id="O-7").count() == 1
    assert await Customer.filter(workspace_id=place.house.id, external_id="C-1").count() == 1


async def test_twenty_at_once_with_different_inputs_are_one_and_nineteen_refusals(place: Place) -> None:
    before = await Task.all().count()

    def call(number: int) -> Any:
        given = place.valid("taskCreate")
        given["input"]["title"] = f"Call {number}"
        return place.owner.call("mutation", "taskCreate", {**given, "idempotencyKey": "fought over"})

    told = await asyncio.gather(*(call(number) for number in range(20)))
    kinds = [one["data"]["taskCreate"]["__typename"] for one in told]
    assert sorted(kinds) == ["Refusal"] * 19 + ["TaskCreatePayload"]
    assert await Task.all().count() == before + 1


async def failed_runs(place: Place, number: int, key: str | None) -> list[str]:
    """The ids of runs that failed one after the other, all of one key if there is one."""
    ids = []
    for _ in range(number):
        run = await runs.enqueue(place.house.owner, "segmentation_recompute", unique_key=key)
        await Run.filter(id=run.id).update(state=RunState.FAILED, finished_at=run.queued_at)
        ids.append(global_id("Run", run.id))
    return ids


async def test_retries_of_other_runs_at_once_with_one_key_are_one_and_refusals(place: Place) -> None:
    """Whether or not the runs would be one run, and whatever else the key is used for."""
    for unique in (None, "one run"):
        failed = await failed_runs(place, 4, unique)
        before = await snapshot()
        key = f"fought over {unique}"
        calls: list[tuple[str, dict[str, Any]]] = [("runRetry", {"id": each}) for each in failed]
        calls += [
            ("runsRetry", {"where": {"kind": {"eq": "segmentation_recompute"}, "state": {"eq": state}}})
            for state in ("FAILED", "CANCELLED")
        ]
        calls.append(("kpiSnapshot", {}))
        told = await asyncio.gather(
            *(place.owner.call("mutation", name, {**given, "idempotencyKey": key}) for name, given in calls)
        )
        refused = 0
        for (name, _), answer in zip(calls, told, strict=True):
            assert "errors" not in answer, answer
            if answer["data"][name]["__typename"] == "Refusal":
                (reason,) = answer["data"][name]["userErrors"]
                assert (reason["code"], reason["field"]) == ("IDEMPOTENCY_MISMATCH", ["idempotencyKey"])
                refused += 1
        assert refused == len(calls) - 1
        changed = differences(before, await snapshot())
        assert len(changed["idempotency_keys"]) == 1
        await Run.filter(kind="segmentation_recompute").update(state=RunState.SUCCEEDED)


async def test_retries_at_once_of_runs_that_would_be_one_are_one_run(place: Place) -> None:
    """Each looks for a run that waits already, finds none, and then there is one."""
    failed = await failed_runs(place, 6, "one run")
    told = await asyncio.gather(
        *(
            place.owner.done("runRetry", {"id": each} | ({"idempotencyKey": each} if number % 2 else {}))
            for number, each in enumerate(failed)
        )
    )
    assert len({answer["run"]["id"] for answer in told}) == 1
    assert await Run.filter(unique_key="one run", state=RunState.QUEUED).count() == 1
    assert await Run.filter(unique_key="one run", state=RunState.FAILED).count() == 5


async def test_an_answer_that_is_no_longer_for_the_caller_is_not_given_again(place: Place) -> None:
    other = await Team.create(
        workspace_id=place.house.id, name="Others", created_at=place.house.workspace.created_at
    )
    await Task.filter(workspace_id=place.house.id).update(assignee_id=None, team_id=None)
    given = {"id": place.ids["Task"], "teamId": global_id("Team", other.id), "idempotencyKey": "away"}
    executor = place.callers[Role.EXECUTOR]
    assert (await executor.done("taskAssign", given))["task"]["team"] is not None
    after = await snapshot()
    told = await executor.call("mutation", "taskAssign", given)
    assert [reason["code"] for reason in told["data"]["taskAssign"]["userErrors"]] == ["NOT_FOUND"]
    assert differences(after, await snapshot()) == {}
