"""The entries of a customer's story lead to what they speak of, and to nothing that is not for the caller."""

import pytest

from api.ids import global_id
from domain import contacts, customers, runs, tasks
from domain.access import Role
from domain.contacts import Channel, Purpose
from domain.customers import LeadSource
from domain.tasks import Draft, Task, TaskKind
from tests.api.conftest import Ask
from tests.api.test_statement_counts import counted
from tests.conftest import NOON, House
from tests.domain.customers.imports import queue_orders

STORY = """{ customer(externalId: "C-1") { timeline(first: 50) { totalCount nodes {
  event actor subject { __typename id ... on Order { externalId } ... on Task { title } } } } } }"""
PAGE = """query ($first: Int!) { customers(first: $first) { nodes {
  timeline(first: 10) { nodes { event subject { id __typename } } } } } }"""


async def live_through(house: House, name: str) -> int:
    """One of everything that the journal tells of a customer; the number of the import's run."""
    who = house.admin
    run = await queue_orders(
        house, f"order_id,customer_id,ordered_at,amount\nO-{name},{name},2025-01-05,10\n"
    )
    assert await runs.perform(run.id, "test", 30)
    customer = await customers.get_external(who, name)
    await customers.upsert(who, name, name="Known")
    await customers.record_lead(
        who, f"L-{name}", customer_id=customer.id, source=LeadSource.OTHER, acquired_at=NOON, consent=True
    )
    await customers.record_event(who, f"E-{name}", customer_id=customer.id, name="login", occurred_at=NOON)
    await contacts.record_consent(who, customer.id, Purpose.MARKETING, True, "web", "1", NOON)
    await contacts.set_preference(who, customer.id, [Channel.PHONE], [], [])
    draft = Draft(
        kind=TaskKind.GENERAL,
        customer_id=customer.id,
        title="Call",
        dedupe_key=name,
        due_at=NOON,
        contact_at=NOON,
        channel=Channel.PHONE,
        assignee_id=who.user_id,
    )
    await tasks.create(who, draft)
    return int(run.id)


async def test_each_entry_names_its_object_and_who_did_it(ask: Ask, house: House) -> None:
    run_id = await live_through(house, "C-1")
    story = (await ask(STORY))["customer"]["timeline"]
    found = {entry["event"]: entry for entry in story["nodes"]}
    assert story["totalCount"] == len(story["nodes"]) == len(found) == 8
    assert {event: (entry["subject"] or {}).get("__typename") for event, entry in found.items()} == {
        "order.placed": "Order",
        "customer.upserted": "Customer",
        "lead.recorded": "Lead",
        "event.recorded": "BehaviourEvent",
        "consent.recorded": "Consent",
        "contact_preference.set": "ContactPreference",
        "contact_decision.made": None,
        "task.opened": "Task",
    }
    assert found["order.placed"]["subject"]["externalId"] == "O-C-1"
    task = await Task.get(workspace_id=house.id)
    assert found["task.opened"]["subject"] == {
        "__typename": "Task",
        "id": global_id("Task", task.id),
        "title": "Call",
    }
    assert found["order.placed"]["actor"] == f"run:{run_id}"
    assert {entry["actor"] for event, entry in found.items() if event != "order.placed"} == {
        f"user:{house.admin.id}"
    }


async def test_a_task_that_is_not_for_the_caller_is_not_shown_by_its_entry(ask: Ask, house: House) -> None:
    await live_through(house, "C-1")
    nodes = (await ask(STORY, who=house.staff[Role.EXECUTOR]))["customer"]["timeline"]["nodes"]
    subjects = {entry["event"]: entry["subject"] for entry in nodes}
    assert subjects["task.opened"] is None
    assert subjects["order.placed"] is not None


@pytest.mark.one_path
async def test_stories_of_many_cost_as_many_statements_as_of_one(
    ask: Ask, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 7):
        await live_through(house, f"C-{number}")
    counts = []
    for first in (1, 6):
        with counted(monkeypatch) as sent:
            nodes = (await ask(PAGE, first=first))["customers"]["nodes"]
        assert [len(node["timeline"]["nodes"]) for node in nodes] == [8] * first
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 12
