"""A webhook is no way around anything: not for keys with less, not to secrets, not to what its role may not see."""

import io
import json
from typing import Any

import pytest

from api.ids import global_id, row_id
from domain import db, feeds, sealing, webhooks
from domain.access import Role
from domain.runs import Run
from domain.webhooks import WebhookDelivery
from domain.webhooks.shaping import WAYS
from tests.receiver import Receiver, receiving
from tests.security.canaries import CANARY, canaries_in, log
from tests.security.conftest import Place, on_sqlite
from tests.security.filling import perform
from tests.security.rows import differences, snapshot

__all__ = ["log"]
HANDLING = (
    "webhookUpdate",
    "webhookDisable",
    "webhookEnable",
    "webhookDelete",
    "webhookSecretRotate",
    "webhookReplay",
    "webhookDeliveryReplay",
    "webhookTest",
)


def allow_here(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = type(WAYS.outbound)(allowed=frozenset({"127.0.0.1"}))
    monkeypatch.setattr(WAYS, "outbound", allowed)


async def told(place: Place, receiver: Receiver, **more: Any) -> dict[str, Any]:
    given = {"name": "Told", "url": receiver.url, "topics": ["tasks"], "role": "PLANNER", **more}
    return await place.owner.done("webhookCreate", {"input": given})


async def deliver(place: Place) -> None:
    """Number the feed, read on for every webhook, and do the runs that this asks for."""
    while await feeds.number(place.house.id):
        pass
    for row in await webhooks.due((await webhooks.Webhook.first()).created_at, place.house.id):  # type: ignore[union-attr]
        await webhooks.wake(place.house.id, row["id"], db.instant_of(row["due_at"]))
    for run in await Run.filter(kind=webhooks.DELIVER, state="QUEUED"):
        await perform(run)


async def refused(caller: Any, name: str, given: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The reasons; and nothing has happened."""
    before = await snapshot()
    answer = (await caller.call("mutation", name, given))["data"][name]
    assert answer["__typename"] == "Refusal", (name, answer)
    assert differences(before, await snapshot()) == {}
    return [(reason["code"], reason["field"]) for reason in answer["userErrors"]]


@on_sqlite
async def test_a_key_with_less_than_a_webhook_is_told_does_nothing_about_it(place: Place) -> None:
    fewer = await place.caller(Role.ADMIN, scopes=[*HANDLING, "webhookCreate"])
    other = await place.caller(Role.ADMIN, topics=["runs"])
    for name in HANDLING:
        for caller in (fewer, other):
            assert await refused(caller, name, place.valid(name)) == [("FORBIDDEN", ["id"])], name
    given = place.valid("webhookCreate")["input"]
    assert await refused(other, "webhookCreate", {"input": given}) == [("FORBIDDEN", ["input", "topics"])]
    # What a key with scopes makes is told no more than the key could ask: its document has to be in them.
    assert await refused(fewer, "webhookCreate", {"input": given}) == [("INVALID", ["input", "document"])]
    made = await fewer.done("webhookCreate", {"input": {**given, "document": None}})
    await fewer.done("webhookDelete", {"id": made["webhook"]["id"]})


@on_sqlite
async def test_only_an_owner_handles_what_is_told_as_an_owner(place: Place) -> None:
    given = place.valid("webhookCreate")["input"] | {"role": "OWNER"}
    admin = place.callers[Role.ADMIN]
    assert await refused(admin, "webhookCreate", {"input": given}) == [("FORBIDDEN", ["input", "role"])]
    made = (await place.owner.done("webhookCreate", {"input": given}))["webhook"]["id"]
    for name in HANDLING:
        if name != "webhookDeliveryReplay":
            assert await refused(admin, name, place.valid(name) | {"id": made}) == [("FORBIDDEN", ["id"])], (
                name
            )
    own = {"id": place.ids["Webhook"], "input": {"role": "OWNER"}}
    assert await refused(admin, "webhookUpdate", own) == [("FORBIDDEN", ["input", "role"])]


@on_sqlite
async def test_a_bad_webhook_is_refused_with_every_reason(place: Place) -> None:
    given = {"name": " ", "url": "https://127.0.0.1/", "topics": ["weather"], "role": "OWNER"}
    admin = place.callers[Role.ADMIN]
    assert await refused(admin, "webhookCreate", {"input": given}) == [
        ("REQUIRED", ["input", "name"]),
        ("INVALID", ["input", "url"]),
        ("INVALID", ["input", "topics"]),
        ("FORBIDDEN", ["input", "role"]),
    ]
    good = place.valid("webhookCreate")["input"]
    for more, reason in (
        ({"topics": []}, ("REQUIRED", ["input", "topics"])),
        ({"name": "CRM"}, ("DUPLICATE", ["input", "name"])),
        ({"document": "x" * 20_000}, ("INVALID", ["input", "document"])),
        ({"document": "{ a" * 5_000}, ("INVALID", ["input", "document"])),
        (
            {"document": "{ __schema { types { name } } apiKeys { name } }"},
            ("INVALID", ["input", "document"]),
        ),
    ):
        assert await refused(admin, "webhookCreate", {"input": good | more}) == [reason], more
    sealing.unlock("")
    assert await refused(admin, "webhookCreate", {"input": good}) == [("NOT_READY", [])]
    assert await refused(admin, "webhookSecretRotate", {"id": place.ids["Webhook"]}) == [("NOT_READY", [])]


async def test_a_secret_lies_sealed_in_its_own_row_and_opens_in_no_other(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_here(monkeypatch)
    async with receiving() as receiver:
        one, two = await told(place, receiver), await told(place, receiver, name="Two")
        for table, rows in (await snapshot()).items():
            assert not [row for row in rows if any(one["secret"][6:] in value for value in row)], table
        first, second = (row_id("Webhook", each["webhook"]["id"]) for each in (one, two))
        await db.execute(
            "UPDATE webhooks SET secret = (SELECT secret FROM webhooks WHERE id = :two) WHERE id = :one",
            one=first,
            two=second,
        )
        await place.owner.done("taskCreate", place.valid("taskCreate"))
        await deliver(place)
        hooks = {hook.id: hook for hook in await webhooks.Webhook.filter(id__in=[first, second])}
        assert hooks[first].disabled_reason is webhooks.DisabledReason.SECRET_UNREADABLE
        assert hooks[second].disabled_reason is None
        assert len(receiver.heard) == len({message.id for message in receiver.heard}) > 0
        heard = len(receiver.heard)
        given = {"id": one["webhook"]["id"]}
        assert (await refused(place.owner, "webhookTest", given)) == [("NOT_READY", [])]
        await place.owner.done("webhookSecretRotate", given)
        await place.owner.done("webhookEnable", given)
        await deliver(place)
        assert len(receiver.heard) > heard


async def test_a_worker_that_dies_behind_the_sending_sends_again_under_the_same_id(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_here(monkeypatch)
    async with receiving() as receiver:
        number = row_id("Webhook", (await told(place, receiver))["webhook"]["id"])
        await deliver(place)
        receiver.heard.clear()
        await place.owner.done("taskCreate", place.valid("taskCreate"))
        writing, deaths = webhooks.delivering._write_down, []

        async def dying(*given: Any) -> None:
            if not deaths and any(each.outcome and each.outcome.arrived for each in given[2]):
                deaths.append(1)
                raise ConnectionError("killed")
            await writing(*given)

        monkeypatch.setattr(webhooks.delivering, "_write_down", dying)
        await deliver(place)
        assert deaths and await WebhookDelivery.filter(state="PENDING").exists()
        await Run.filter(kind=webhooks.DELIVER, state="RETRYING").update(state="QUEUED")
        await db.execute("UPDATE runs SET run_at = {now} WHERE state = 'QUEUED'")
        for run in await Run.filter(kind=webhooks.DELIVER, state="QUEUED"):
            await perform(run)
        ids = [message.id for message in receiver.heard]
        assert len(ids) == 2 * len(set(ids)) > 0
        states = {each.state for each in await WebhookDelivery.filter(webhook_id=number)}
        assert states == {webhooks.DeliveryState.DELIVERED}


async def test_what_an_analyst_may_not_see_no_message_to_one_holds_and_no_log_tells(
    place: Place, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    allow_here(monkeypatch)
    document = "query ($id: ID!) { task(id: $id) { customer { name company phone email } } viewer { role } }"
    who = {name: CANARY[name] for name in ("name", "company", "phone", "email")}
    made = await place.owner.done("customerUpsert", {"input": {"externalId": "C-1", **who}})
    async with receiving(answer=lambda message: (500, message.body)) as receiver:
        await told(place, receiver, role="ANALYST", document=document)
        await place.owner.done(
            "taskCreate", {"input": {"customerId": made["customer"]["id"], "title": "Call"}}
        )
        await deliver(place)
        masked = [message.said["data"] for message in receiver.heard]
        assert masked and all(each["viewer"] == {"role": "ANALYST"} for each in masked if each)
        assert canaries_in(json.dumps(masked, ensure_ascii=False)) == []
        receiver.heard.clear()
        await told(place, receiver, name="Planner", document=document)
        await place.owner.done(
            "taskCreate", {"input": {"customerId": made["customer"]["id"], "title": "Two"}}
        )
        await deliver(place)
        clear = [message.said["data"] for message in receiver.heard]
        assert "phone" in canaries_in(json.dumps(clear, ensure_ascii=False))
    assert canaries_in(log.getvalue()) == []
    assert receiver.url not in log.getvalue()


@on_sqlite
async def test_nothing_of_another_workspace_is_told(
    place: Place, stranger: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_here(monkeypatch)
    task = row_id("Task", stranger.ids["Task"])
    document = (
        f'{{ task(id: "{stranger.ids["Task"]}") {{ id }} node(id: "{stranger.ids["Task"]}") {{ id }} }}'
    )
    async with receiving() as receiver:
        await told(place, receiver, document=document)
        await stranger.owner.done("taskCreate", stranger.valid("taskCreate"))
        while await feeds.number(stranger.house.id):
            pass
        await deliver(place)
        receiver.heard.clear()
        await place.owner.done("taskCreate", place.valid("taskCreate"))
        await deliver(place)
        assert [message.said["data"] for message in receiver.heard] == [{"task": None, "node": None}]
    assert task and global_id("Task", task) == stranger.ids["Task"]
