"""What was sent long ago is forgotten with its attempts; what waits is not."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain import sealing, timekeeping, webhooks
from domain.access import Role
from domain.webhooks import DeliveryState, WebhookAttempt, WebhookDelivery
from tests.conftest import House


@pytest.fixture(autouse=True)
def unlocked() -> Iterator[None]:
    sealing.unlock("k" * 32)
    yield
    sealing.unlock("")


async def test_old_messages_go_with_their_attempts_and_what_waits_stays(house: House) -> None:
    webhook, _ = await webhooks.create(
        house.owner, name="CRM", url="https://crm.invalid/", topics=["tasks"], role=Role.PLANNER
    )
    now = timekeeping.machine_now()
    kept = {}
    for name, state, days in (
        ("old", DeliveryState.DELIVERED, 31),
        ("given up", DeliveryState.FAILED, 40),
        ("waiting", DeliveryState.PENDING, 40),
        ("young", DeliveryState.DELIVERED, 29),
    ):
        delivery = await webhooks.send_test(house.owner, webhook.id)
        await WebhookAttempt.create(
            workspace_id=house.id, delivery_id=delivery.id, at=now, duration_ms=1, answer=""
        )
        created = now - timedelta(days=days)
        await WebhookDelivery.filter(id=delivery.id).update(state=state, created_at=created)
        kept[delivery.id] = name
    assert await webhooks.prune() == 2
    left = {kept[each.id] for each in await WebhookDelivery.all()}
    assert left == {"waiting", "young"}
    assert {kept[each.delivery_id] for each in await WebhookAttempt.all()} == left
    assert await webhooks.prune() == 0
