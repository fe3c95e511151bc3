"""A campaign opens one task per member: twice, concurrently and killed midway, still one each."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain import campaigns, contacts, customers, db, runs, segments
from domain.campaigns import Campaign, CampaignClosed, CampaignState, Enrolment, Plan
from domain.campaigns import launch as launching
from domain.contacts import Channel
from domain.errors import DomainError, NotFound
from domain.runs import Run, RunState
from domain.segments import LifecycleStage, ValueLevel
from domain.tasks import Task, TaskState
from tests.conftest import NOON, House, build_house

MEMBERS = 23


@pytest.fixture
async def segment_id(house: House, monkeypatch: pytest.MonkeyPatch) -> int:
    """A segment with members, published by a real recompute; batches small enough for several steps."""
    monkeypatch.setattr(launching, "BATCH", 5)
    for n in range(MEMBERS):
        await customers.upsert(house.admin, f"C{n:02}", registered_at=NOON)
    run = await segments.recompute(house.admin)
    assert await runs.perform(run.id, "test", 30)
    found = await segments.find_by_key(house.id, segments.cell_key(LifecycleStage.NEW, ValueLevel.ORDINARY))
    assert found is not None
    return int(found.id)


def plan(segment_id: int, **values: Any) -> Plan:
    given: dict[str, Any] = {
        "name": "Welcome",
        "segment_id": segment_id,
        "channel": Channel.PHONE,
        "task_title": "Say hello",
        "goal_kpi": "REPURCHASE_RATE",
        "baseline": Decimal("0.30"),
        "target": Decimal("0.345"),
        "target_on": date(2025, 6, 30),
    }
    return Plan(**{**given, **values})


async def perform_all(house: House) -> None:
    for run in await runs.unfinished(house.id):
        await runs.perform(run.id, "test", 30)


async def test_activating_twice_and_at_once_opens_one_task_per_member(house: House, segment_id: int) -> None:
    campaign = await campaigns.create(house.admin, plan(segment_id))
    await asyncio.gather(
        *(campaigns.activate(house.admin, campaign.id) for _ in range(4)), return_exceptions=True
    )
    await asyncio.gather(perform_all(house), perform_all(house))
    await campaigns.activate(house.admin, campaign.id)
    await perform_all(house)
    assert await Task.filter(workspace_id=house.id, campaign_id=campaign.id).count() == MEMBERS
    assert await Enrolment.filter(workspace_id=house.id, task_id__isnull=False).count() == MEMBERS
    counts = (await campaigns.counts_by_campaign(house.id, [campaign.id]))[campaign.id]
    assert (counts.enrolled, counts.refused, counts.done) == (MEMBERS, 0, 0)


@pytest.mark.parametrize("batches", [0, 1, 3, 4])
async def test_a_launch_killed_midway_goes_on_where_it_stopped(
    house: House, segment_id: int, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = await campaigns.create(house.admin, plan(segment_id))
    _, run = await campaigns.activate(house.admin, campaign.id)
    enrol, done = launching._enrol, 0

    async def killed(*args: Any) -> Any:
        nonlocal done
        if done == batches:
            raise KeyboardInterrupt  # what the ledger cannot catch: the attempt is simply gone
        done += 1
        return await enrol(*args)

    monkeypatch.setattr(launching, "_enrol", killed)
    with pytest.raises(KeyboardInterrupt):
        await runs.perform(run.id, "killed", 30)
    assert await Task.filter(workspace_id=house.id).count() == min(MEMBERS, batches * 5)
    monkeypatch.setattr(launching, "_enrol", enrol)
    assert await runs.rescue(everything=True) == 1
    await perform_all(house)
    ended = await Run.get(id=run.id)
    assert (ended.state, ended.result) == (RunState.SUCCEEDED, {"opened": MEMBERS, "refused": 0})
    assert await Task.filter(workspace_id=house.id, campaign_id=campaign.id).count() == MEMBERS


async def test_a_paused_campaign_opens_nothing_until_it_goes_on(house: House, segment_id: int) -> None:
    campaign = await campaigns.create(house.admin, plan(segment_id))
    _, run = await campaigns.activate(house.admin, campaign.id)
    await campaigns.pause(house.admin, campaign.id)
    await perform_all(house)
    assert (await Run.get(id=run.id)).state is RunState.CANCELLED
    assert await Task.filter(workspace_id=house.id).count() == 0
    await campaigns.activate(house.admin, campaign.id)
    await perform_all(house)
    assert await Task.filter(workspace_id=house.id).count() == MEMBERS


async def test_closing_cancels_the_open_tasks_and_stays_closed(house: House, segment_id: int) -> None:
    campaign = await campaigns.create(house.admin, plan(segment_id))
    await campaigns.activate(house.admin, campaign.id)
    await perform_all(house)
    await campaigns.close(house.admin, campaign.id)
    assert await Task.filter(workspace_id=house.id, state=TaskState.CANCELLED).count() == MEMBERS
    assert await Task.filter(workspace_id=house.id, next_escalation_at__isnull=False).count() == 0
    for again in (campaigns.activate, campaigns.pause, campaigns.close):
        with pytest.raises(CampaignClosed):
            await again(house.admin, campaign.id)
    assert (await Campaign.get(id=campaign.id)).state is CampaignState.CLOSED


async def test_a_customer_without_a_channel_is_enrolled_and_spared(house: House, segment_id: int) -> None:
    spared = await customers.find_external(house.admin, "C03")
    assert spared is not None
    await contacts.set_preference(house.admin, spared.id, [], list(Channel), [])
    campaign = await campaigns.create(house.admin, plan(segment_id))
    await campaigns.activate(house.admin, campaign.id)
    await perform_all(house)
    counts = (await campaigns.counts_by_campaign(house.id, [campaign.id]))[campaign.id]
    assert (counts.enrolled, counts.refused) == (MEMBERS, 1)
    assert await Task.filter(workspace_id=house.id, customer_id=spared.id).count() == 0


@pytest.mark.parametrize("missing", ["goal_kpi", "baseline", "target", "target_on"])
async def test_a_campaign_without_a_measurable_goal_is_not_activated(
    house: House, segment_id: int, missing: str
) -> None:
    campaign = await campaigns.create(house.admin, plan(segment_id, **{missing: None}))
    before = await db.rows("SELECT * FROM runs ORDER BY id")
    with pytest.raises(DomainError) as refused:
        await campaigns.activate(house.admin, campaign.id)
    assert len(refused.value.problems) == 1
    assert (await Campaign.get(id=campaign.id)).state is CampaignState.DRAFT
    assert await db.rows("SELECT * FROM runs ORDER BY id") == before


async def test_another_workspaces_segment_and_campaign_are_not_found(house: House, segment_id: int) -> None:
    stranger = await build_house("Stranger")
    campaign = await campaigns.create(house.admin, plan(segment_id))
    for attempt in (
        campaigns.create(stranger.admin, plan(segment_id)),
        campaigns.activate(stranger.admin, campaign.id),
        campaigns.close(stranger.admin, campaign.id),
        campaigns.create(house.admin, plan(segment_id, owner_id=stranger.admin.user_id)),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert await Campaign.all().count() == 1
    assert (await Campaign.get(id=campaign.id)).state is CampaignState.DRAFT
