"""A workspace with at least one object of every kind, made the way the house makes them."""

from datetime import timedelta
from decimal import Decimal

import api.schema  # noqa: F401
from api import nodes
from api.ids import global_id
from domain import (
    alerts,
    campaigns,
    contacts,
    customers,
    files,
    health,
    kpis,
    runs,
    segments,
    tasks,
    webhooks,
    workspaces,
)
from domain.access import Role
from domain.campaigns import Campaign, Plan
from domain.contacts import Channel, ContactResult, Direction, Purpose
from domain.customers import LeadSource, OrderStatus
from domain.files import File
from domain.kpis import Comparator
from domain.runs import Run, RunState, SchedulePreset
from domain.settings import Settings
from domain.tasks import Draft, Outcome, TaskKind, TaskResult
from domain.workspaces import ApiKey
from tests.conftest import NOON, House

BEFORE = NOON - timedelta(days=40)
BAD_ROWS = b"order_id,customer_id,ordered_at,amount\nO-9,C-1,2025-01-05,10\nO-10,C-1,yesterday,10\n"
BAD_HEADER = b"order,customer\n1,2\n"
NEVER = 4_000_000_000
"""The id of a row that never was."""


async def perform(run: Run) -> None:
    assert await runs.perform(run.id, "test", 30)


def draft(house: House, customer_id: int, key: str, channel: Channel | None = Channel.PHONE) -> Draft:
    return Draft(
        kind=TaskKind.GENERAL,
        customer_id=customer_id,
        title="Call",
        dedupe_key=key,
        due_at=NOON + timedelta(days=1),
        contact_at=NOON,
        channel=channel,
        assignee_id=house.owner.user_id,
        team_id=house.owner.team_ids[0],
    )


async def fill(house: House) -> None:
    """Everything at once: people, orders, contacts, work, a campaign, figures, a report, runs of all ends."""
    webhooks.sent_by(Settings(CARELINE_SECRET_KEY="s" * 32))
    who = house.owner
    ids = []
    for number in range(1, 4):
        customer, _ = await customers.upsert(
            who, f"C-{number}", name=f"Name {number}", owner_id=who.user_id, registered_at=BEFORE, tags=["a"]
        )
        ids.append(customer.id)
        await customers.record_order(
            who,
            f"O-{number}",
            customer_id=customer.id,
            ordered_at=BEFORE + timedelta(days=number),
            amount_minor=10_000 * number,
            status=OrderStatus.DELIVERED,
        )
    first = ids[0]
    await customers.record_lead(
        who, "L-1", customer_external_id="C-1", source=LeadSource.WEBSITE, acquired_at=BEFORE, consent=True
    )
    await customers.record_event(who, "E-1", customer_external_id="C-1", name="login", occurred_at=BEFORE)
    phone = f"+86 138-0000-{house.id:04}"
    same = [(await customers.upsert(who, f"S-{number}", phone=phone))[0].id for number in range(1, 4)]
    await customers.merge(who, same[0], same[1])
    await contacts.record_interaction(
        who, first, Channel.PHONE, Direction.INBOUND, True, ContactResult.REACHED, "Said hello", BEFORE
    )
    await contacts.record_consent(who, first, Purpose.MARKETING, True, "web", "1", BEFORE)
    await contacts.set_preference(who, first, [Channel.PHONE], [], [("09:00", "18:00")])
    await contacts.set_needs(who, first, {"industry": "Retail", "core_needs": ["lower cost"]})
    await tasks.create(who, draft(house, first, "open"))
    done, _ = await tasks.create(who, draft(house, first, "done"))
    await tasks.complete(who, done.id, Outcome(TaskResult.REACHED, "Said more"))
    await tasks.plan_visits(who)
    await kpis.target_set(who, "VISIT_COVERAGE", target=Decimal("0.9"), comparator=Comparator.AT_LEAST)
    await perform(await segments.recompute(who))
    await perform(await alerts.evaluate_all(who))
    await perform(await health.recompute(who))
    await launch(house)
    await perform(await kpis.snapshot(who))
    await perform(await kpis.build_report(who, "Month"))
    for content in (BAD_ROWS, BAD_HEADER):
        file = await files.save(who, "orders.csv", "text/csv", "upload", content)
        await perform(await customers.import_orders(who, file.id))
    await runs.create_schedule(who, preset=SchedulePreset.MONTH_REPORT)
    for key, rule in (("OWN", {"tags": {"any": ["a"]}}), ("LIST", None)):
        _, run = await segments.create(who, key, name_en=key, rule=rule)
        await perform(run)
    await workspaces.create_key(who, name="program", role=Role.PLANNER)
    webhook, _ = await webhooks.create(
        who, name="CRM", url="https://crm.invalid/hook", topics=["tasks"], role=Role.PLANNER
    )
    await webhooks.send_test(who, webhook.id)


async def launch(house: House) -> None:
    """A campaign on those who bought lately: everybody here."""
    segment = await segments.find_by_key(house.id, "NEW_3M")
    assert segment is not None
    plan = Plan(
        name="Spring",
        segment_id=segment.id,
        channel=Channel.PHONE,
        task_title="Offer",
        owner_id=house.owner.user_id,
        goal_kpi="VISIT_COVERAGE",
        baseline=Decimal("0.5"),
        target=Decimal("0.7"),
        target_on=(NOON + timedelta(days=90)).date(),
    )
    campaign = await campaigns.create(house.owner, plan)
    _, run = await campaigns.activate(house.owner, campaign.id)
    await perform(run)


async def an_id_of_each_type(house: House) -> dict[str, str]:
    """The global id of one object of every type that has ids; fails for a type of which there is none."""
    found = {}
    for name, kind in nodes.kinds.items():
        query = (
            kind.model.filter(id=house.id)
            if name == "Workspace"
            else kind.model.filter(workspace_id=house.id)
        )
        row = await query.order_by("id").first()
        assert row is not None, f"fill() makes no {name}"
        found[name] = global_id(name, row.id)
    reached = await Campaign.get(workspace_id=house.id)
    file = await File.filter(workspace_id=house.id, purpose="upload").first()
    assert file is not None
    program = await ApiKey.get(workspace_id=house.id, name="program")
    found["ApiKey"] = global_id("ApiKey", program.id)
    # The first member of staff is the only owner, with whom an admin may do nothing.
    found["Colleague"] = global_id("User", house.staff[Role.SUPPORT].id)
    for name, key in (("Another", "C-2"), ("Other", "C-3")):
        found[name] = global_id("Customer", (await customers.get_external(house.owner, key)).id)
    failed = await Run.get(workspace_id=house.id, state=RunState.FAILED)
    found["FailedRun"] = global_id("Run", failed.id)
    imported = await Run.get(workspace_id=house.id, kind="orders_import", state=RunState.SUCCEEDED)
    found["ImportRun"] = global_id("Run", imported.id)
    for key in ("Own", "List"):
        segment = await segments.find_by_key(house.id, key.upper())
        assert segment is not None
        found[f"{key}Segment"] = global_id("Segment", segment.id)
    return found | {"Segment": global_id("Segment", reached.segment_id), "File": global_id("File", file.id)}


def ids_of_nothing() -> dict[str, str]:
    return {name: global_id(name, NEVER) for name in (*nodes.kinds, "File")}
