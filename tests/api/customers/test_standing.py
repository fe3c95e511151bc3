"""A customer says goodbye, and a record that is none is left out: through the API."""

from datetime import timedelta
from typing import Any

import pytest

from api.ids import global_id
from domain import customers, runs, segments
from domain.access import FRONT_LINE, PLANNERS, Role
from domain.journal import JournalLine
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import NOON, House, build_house
from tests.security.rows import differences, snapshot

SHOWN = "customer { version cancelledAt excluded excludedBecause }"
REFUSED = "... on Refusal { userErrors { code field } current { id ... on Customer { version } } }"
CANCEL = f"""mutation ($id: ID!, $at: DateTime, $seen: Int) {{
  customerCancel(id: $id, cancelledAt: $at, expectedVersion: $seen) {{ __typename
    ... on CustomerCancelPayload {{ {SHOWN} }} {REFUSED} }} }}"""
EXCLUDE = f"""mutation ($id: ID!, $reason: ExclusionReason!, $seen: Int) {{
  customerExclude(id: $id, reason: $reason, expectedVersion: $seen) {{ __typename
    ... on CustomerExcludePayload {{ {SHOWN} }} {REFUSED} }} }}"""
INCLUDE = f"""mutation ($id: ID!, $seen: Int) {{ customerInclude(id: $id, expectedVersion: $seen) {{ __typename
    ... on CustomerIncludePayload {{ {SHOWN} }} {REFUSED} }} }}"""
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "customerCancel": (CANCEL, {}),
    "customerExclude": (EXCLUDE, {"reason": "TEST"}),
    "customerInclude": (INCLUDE, {}),
}
STARTED = NOON - timedelta(days=10)


async def somebody(house: House, key: str = "C-1") -> str:
    customer, _ = await customers.upsert(house.admin, key, name="Li", registered_at=STARTED)
    return global_id("Customer", customer.id)


async def told() -> list[tuple[str, Any]]:
    names = ["customer.cancelled", "customer.excluded", "customer.included"]
    return [(line.name, line.data) for line in await JournalLine.filter(name__in=names).order_by("id")]


async def test_the_first_goodbye_stands_and_is_told_once(ask: Ask, house: House) -> None:
    customer = await somebody(house)
    executor = house.staff[Role.EXECUTOR]
    for at in ("2025-03-01T10:00:00+08:00", "2025-02-01T10:00:00+08:00", None):
        done = (await ask(CANCEL, executor, id=customer, at=at))["customerCancel"]["customer"]
        assert (done["cancelledAt"], done["version"]) == ("2025-03-01T02:00:00Z", 2)
    assert await told() == [("customer.cancelled", {})]
    line = await JournalLine.get(name="customer.cancelled")
    assert (line.actor, line.at.isoformat()) == (executor.label, "2025-03-01T02:00:00+00:00")


async def test_without_a_date_the_goodbye_is_now_on_the_workspaces_clock(ask: Ask, house: House) -> None:
    done = (await ask(CANCEL, id=await somebody(house)))["customerCancel"]["customer"]
    assert done["cancelledAt"] == NOON.isoformat().replace("+00:00", "Z")


async def test_whoever_said_goodbye_is_churned_and_whoever_is_excluded_is_in_no_segment(
    ask: Ask, house: House
) -> None:
    ids = [await somebody(house, key) for key in ("C-1", "C-2", "C-3")]
    await ask(CANCEL, id=ids[0])
    await ask(EXCLUDE, id=ids[1], reason="ANONYMISED")

    async def placed() -> list[tuple[str | None, bool]]:
        run = await segments.recompute(house.owner)
        assert await runs.perform(run.id, "test", 30)
        found = await ask("{ customers(orderBy: EXTERNAL_ID) { nodes { lifecycleStage segments { key } } } }")
        return [(node["lifecycleStage"], bool(node["segments"])) for node in found["customers"]["nodes"]]

    assert await placed() == [("CHURNED", True), (None, False), ("NEW", True)]
    await ask(INCLUDE, id=ids[1])
    assert await placed() == [("CHURNED", True), ("NEW", True), ("NEW", True)]


async def test_a_record_is_left_out_for_a_reason_and_counted_again(ask: Ask, house: House) -> None:
    customer = await somebody(house)
    none = {"cancelledAt": None, "excluded": False, "excludedBecause": None}
    out = {**none, "excluded": True, "excludedBecause": "MERGED"}
    done = (await ask(EXCLUDE, id=customer, reason="MERGED", seen=1))["customerExclude"]["customer"]
    assert done == {**out, "version": 2}
    # Told again nothing changes, not even the reason.
    done = (await ask(EXCLUDE, id=customer, reason="TEST"))["customerExclude"]["customer"]
    assert done == {**out, "version": 2}
    for _ in range(2):
        done = (await ask(INCLUDE, id=customer))["customerInclude"]["customer"]
        assert done == {**none, "version": 3}
    done = (await ask(EXCLUDE, id=customer, reason="TEST", seen=3))["customerExclude"]["customer"]
    assert done == {**out, "excludedBecause": "TEST", "version": 4}
    assert await told() == [
        ("customer.excluded", {"reason": "MERGED"}),
        ("customer.included", {}),
        ("customer.excluded", {"reason": "TEST"}),
    ]


@pytest.mark.parametrize("name", CALLS)
async def test_a_customer_that_changed_meanwhile_is_a_conflict(ask: Ask, house: House, name: str) -> None:
    customer = await somebody(house)
    await customers.upsert(house.admin, "C-1", name="Lee")
    before = await snapshot()
    document, given = CALLS[name]
    refused = (await ask(document, id=customer, seen=1, **given))[name]
    assert refused["userErrors"] == [{"code": "CONFLICT", "field": ["expectedVersion"]}]
    assert refused["current"] == {"id": customer, "version": 2}
    assert differences(before, await snapshot()) == {}


@pytest.mark.parametrize("name", CALLS)
async def test_another_workspaces_customer_is_not_there(ask: Ask, house: House, name: str) -> None:
    theirs = await somebody(await build_house("Other"))
    before = await snapshot()
    document, given = CALLS[name]
    for id_ in (theirs, "nonsense"):
        refused = (await ask(document, id=id_, **given))[name]
        assert refused["userErrors"] == [{"code": "NOT_FOUND", "field": ["id"]}]
        assert refused["current"] is None
    assert differences(before, await snapshot()) == {}


@pytest.mark.parametrize("name", CALLS)
async def test_who_may_not_changes_nothing(ask: Ask, house: House, name: str) -> None:
    customer = await somebody(house)
    allowed = FRONT_LINE | PLANNERS if name == "customerCancel" else {Role.OWNER, Role.ADMIN, Role.OPS_HEAD}
    document, given = CALLS[name]
    before = await snapshot()
    for role in set(Role) - allowed:
        result = await ask_for_result(document, house.staff[role], {"id": customer, **given})
        assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"], role
    assert differences(before, await snapshot()) == {}
    for role in allowed:
        assert (await ask(document, house.staff[role], id=customer, **given))[name]["__typename"] != "Refusal"


@pytest.mark.one_path
async def test_why_a_page_of_records_is_left_out_is_read_in_one_statement(
    ask: Ask, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        await ask(EXCLUDE, id=await somebody(house, f"C-{n}"), reason="TEST" if n % 2 else "OTHER")
    asked: list[int] = []
    read = customers.exclusion_reasons

    async def counted(workspace_id: int, ids: list[int]) -> Any:
        asked.append(len(ids))
        return await read(workspace_id, ids)

    monkeypatch.setattr(customers, "exclusion_reasons", counted)
    found = await ask("{ customers { nodes { excludedBecause } } }")
    reasons = [node["excludedBecause"] for node in found["customers"]["nodes"]]
    assert (reasons, asked) == (["OTHER", "TEST", "OTHER", "TEST"], [4])
