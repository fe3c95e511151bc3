"""A partner's tool is told what happens: signed, in order, masked, and until it arrives."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from api.ids import global_id, row_id
from domain import customers, runs, tasks
from domain.access import Role
from domain.figures import REGISTRY
from domain.journal import JournalLine
from domain.webhooks import DeliveryState, WebhookAttempt, WebhookDelivery
from domain.webhooks.shaping import WAYS
from tests.conftest import NOON
from tests.receiver import Receiver, receiving
from tests.stories.documents import REFUSAL, TASK_COMPLETE, TASK_CREATE
from tests.stories.stage import Stage

SHOWN = (
    "id name url topics role document enabled disabledReason disabledText(language: EN) "
    "zh: disabledText(language: ZH_CN) failingSince lastSuccessAt rotatingUntil version"
)


def _document(name: str, declared: str, passed: str, shown: str) -> str:
    payload = f"{name[0].upper()}{name[1:]}Payload"
    return f"mutation ({declared}) {{ {name}({passed}) {{ __typename ... on {payload} {{ {shown} }} {REFUSAL} }} }}"


HOOK = f"webhook {{ {SHOWN} }}"
CREATE = _document("webhookCreate", "$input: WebhookCreateInput!", "input: $input", f"secret {HOOK}")
ENABLE = _document("webhookEnable", "$id: ID!, $skip: Boolean!", "id: $id, skip: $skip", HOOK)
ROTATE = _document("webhookSecretRotate", "$id: ID!", "id: $id", f"secret {HOOK}")
REPLAY = _document(
    "webhookReplay",
    "$id: ID!, $after: String!, $until: String",
    "id: $id, after: $after, until: $until",
    "count nextAfter",
)
AGAIN = _document("webhookDeliveryReplay", "$id: ID!", "id: $id", "delivery { state }")
TEST = _document(
    "webhookTest",
    "$id: ID!, $send: Boolean!",
    "id: $id, send: $send",
    "headers { name value } body delivery { id change }",
)
DELETE = _document("webhookDelete", "$id: ID!", "id: $id", "deleted")
SEEN = (
    "query ($id: ID!) { webhook(id: $id) { "
    + SHOWN
    + " deliveries(first: 100) { totalCount nodes { id state change "
    "cursor tries messageId nextAt attempts(first: 20) { nodes { status error durationMs answer } } } } } }"
)
SUBSCRIPTION = (
    "subscription { taskChanged(where: {state: {in: [OPEN, DONE]}}) "
    "{ cursor change task { id title state customer { externalId phone } } } }"
)


class Partner:
    """A receiver, and the webhook that was made for it."""

    def __init__(self, stage: Stage, receiver: Receiver, made: dict[str, Any]) -> None:
        self.stage, self.receiver = stage, receiver
        self.secret, self.id = made["secret"], made["webhook"]["id"]

    async def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.stage.owner.ask(SEEN, id=self.id))["webhook"]
        return found

    async def states(self) -> list[str]:
        """Of its deliveries, the first first."""
        return [each["state"] for each in reversed((await self.seen())["deliveries"]["nodes"])]

    def told(self) -> list[tuple[str, str]]:
        """Every message in the order of its coming, its signature verified."""
        said = []
        for message in self.receiver.heard:
            Verifier(self.secret).verify(message.body, message.headers)
            said.append((message.said["type"], message.said["data"]["id"]))
        return said


async def partner(stage: Stage, receiver: Receiver, **more: Any) -> Partner:
    given = {"name": "CRM", "url": receiver.url, "topics": ["tasks"], "role": "PLANNER", **more}
    made = await stage[Role.ADMIN].do(CREATE, input=given)
    return Partner(stage, receiver, made)


async def a_task(stage: Stage, title: str) -> str:
    customer, _ = await customers.upsert(stage.house.owner, "C-1", name="Mei", phone="+8613800000001")
    given = {"title": title, "customerId": global_id("Customer", customer.id)}
    found: str = (await stage.owner.do(TASK_CREATE, input=given))["task"]["id"]
    return found


async def finish(stage: Stage, task: str) -> None:
    await stage.owner.do(TASK_COMPLETE, id=task, input={"result": "REACHED"})


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def settle(stage: Stage) -> None:
    """Until what happened so far is told: a turn of the clock by a second does all that is due."""
    clock = await stage.owner.ask("{ viewer { workspace { now } } }")
    now = datetime.fromisoformat(clock["viewer"]["workspace"]["now"])
    await stage.advance(now + timedelta(seconds=1))


async def test_what_happens_arrives_signed_and_in_order(stage: Stage, receiver: Receiver) -> None:
    before = await a_task(stage, "Before")
    await settle(stage)
    partner_ = await partner(stage, receiver)
    assert partner_.secret.startswith("whsec_")
    tasks = [await a_task(stage, f"Call {number}") for number in range(5)]
    for task in reversed(tasks):
        await finish(stage, task)
    await settle(stage)
    told = partner_.told()
    assert sorted(told) == sorted(
        [("task.opened", task) for task in tasks] + [("task.completed", task) for task in tasks]
    )
    for task in tasks:
        assert [name for name, its in told if its == task] == ["task.opened", "task.completed"]
    assert before not in {task for _, task in told}
    assert len({message.id for message in receiver.heard}) == 10
    (first, *_) = receiver.heard
    assert first.headers["content-type"] == "application/json"
    assert first.said["timestamp"].startswith("2025-03-03T04:00:01")
    seen = await partner_.seen()
    assert seen["deliveries"]["totalCount"] == 10
    assert {each["state"] for each in seen["deliveries"]["nodes"]} == {"DELIVERED"}
    (attempt,) = seen["deliveries"]["nodes"][0]["attempts"]["nodes"]
    assert (attempt["status"], attempt["error"], attempt["answer"]) == (200, None, "thank you")
    assert seen["lastSuccessAt"].startswith("2025-03-03T04:00:0") and seen["failingSince"] is None
    cursors = {message.said["cursor"] for message in receiver.heard}
    assert cursors == {each["cursor"] for each in seen["deliveries"]["nodes"]}
    # The feed's own cursors: whoever was told may go on from there with a subscription.
    lines = await JournalLine.filter(workspace_id=stage.house.id, subject="task").count()
    assert lines == 11


async def test_a_document_shapes_and_filters_and_the_role_masks(stage: Stage, receiver: Receiver) -> None:
    planner = await partner(stage, receiver, document=SUBSCRIPTION)
    async with receiving() as other, receiving() as third:
        analyst = await partner(stage, other, name="BI", role="ANALYST", document=SUBSCRIPTION)
        query = "query ($id: ID!, $change: String) { task(id: $id) { title } node(id: $id) { __typename } }"
        asked = await stage[Role.ADMIN].refused(
            CREATE,
            input={"name": "Q", "url": third.url, "topics": ["tasks"], "role": "PLANNER", "document": query},
        )
        assert [reason["field"] for reason in asked] == [["input", "document"]], "an unused variable"
        query = query.replace(", $change: String", "")
        shaped = await partner(stage, third, name="Q", document=query)
        task = await a_task(stage, "Call")
        await settle(stage)
        await finish(stage, task)
        await settle(stage)
        data = [message.said["data"]["taskChanged"] for message in receiver.heard]
        assert [(each["change"], each["task"]["state"]) for each in data] == [
            ("task.opened", "OPEN"),
            ("task.completed", "DONE"),
        ]
        assert data[0]["task"]["customer"] == {"externalId": "C-1", "phone": "+8613800000001"}
        assert data[0]["cursor"] == receiver.heard[0].said["cursor"]
        masked = other.heard[0].said["data"]["taskChanged"]["task"]["customer"]["phone"]
        assert "***" in masked and "0000" not in masked
        assert third.heard[0].said["data"] == {"task": {"title": "Call"}, "node": {"__typename": "Task"}}
        assert len(analyst.receiver.heard) == len(shaped.receiver.heard) == 2
        for refused, field in (
            ("subscription { runChanged { change } }", "document"),
            ("mutation { kpiSnapshot { __typename } }", "document"),
            ("query A { viewer { role } } query B { viewer { role } }", "document"),
            ("{ nothing }", "document"),
            ("{", "document"),
            ("{ apiKeys { name } }", "document"),
        ):
            given = {
                "name": "X",
                "url": third.url,
                "topics": ["tasks"],
                "role": "PLANNER",
                "document": refused,
            }
            (reason,) = await stage[Role.ADMIN].refused(CREATE, input=given)
            assert (reason["code"], reason["field"]) == ("INVALID", ["input", field]), refused
    assert await planner.states() == ["DELIVERED", "DELIVERED"]


async def test_a_receiver_that_is_down_gets_everything_in_order_once_it_is_up(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.down = True
    partner_ = await partner(stage, receiver)
    first, second = await a_task(stage, "One"), await a_task(stage, "Two")
    await settle(stage)
    await finish(stage, first)
    await settle(stage)
    seen = await partner_.seen()
    assert seen["failingSince"] is not None
    assert {each["state"] for each in seen["deliveries"]["nodes"]} == {"PENDING"}
    assert receiver.heard == []
    knocks = receiver.knocks
    await stage.advance(NOON + timedelta(hours=3))
    assert knocks < receiver.knocks < knocks + 30, "one message at a time is tried, ever less often"
    assert receiver.heard == []
    receiver.down = False
    await stage.advance(NOON + timedelta(hours=6))
    told = partner_.told()
    assert [name for name, task in told if task == first] == ["task.opened", "task.completed"]
    assert [name for name, task in told if task == second] == ["task.opened"]
    assert len(told) == 3
    seen = await partner_.seen()
    assert (seen["failingSince"], seen["enabled"]) == (None, True)
    assert {each["state"] for each in seen["deliveries"]["nodes"]} == {"DELIVERED"}
    errors = [
        attempt["error"] for each in seen["deliveries"]["nodes"] for attempt in each["attempts"]["nodes"]
    ]
    assert errors.count("CONNECTION") + errors.count("PROTOCOL") == receiver.knocks - 3
    ids = {each["messageId"] for each in seen["deliveries"]["nodes"]}
    assert {message.id for message in receiver.heard} == ids


@pytest.mark.parametrize("status", [429, 503])
async def test_a_receiver_that_asks_for_a_pause_is_left_alone_until_then(
    stage: Stage, receiver: Receiver, status: int
) -> None:
    receiver.answer, receiver.retry_after = lambda _: (status, b"later"), str(2 * 3600)
    partner_ = await partner(stage, receiver)
    first, second = await a_task(stage, "One"), await a_task(stage, "Two")
    await settle(stage)
    knocks = receiver.knocks
    assert knocks, "it was tried"
    await stage.advance(NOON + timedelta(hours=1, minutes=59))
    assert receiver.knocks == knocks
    assert set(await partner_.states()) == {"PENDING"}
    receiver.answer, receiver.retry_after = lambda _: (204, b""), ""
    receiver.heard.clear()
    await stage.advance(NOON + timedelta(hours=2, minutes=1))
    assert sorted(partner_.told()) == sorted([("task.opened", first), ("task.opened", second)])
    assert (await partner_.seen())["failingSince"] is None


def alerted() -> float:
    labels = {"reason": "FAILED_FOR_A_DAY"}
    return REGISTRY.get_sample_value("careline_webhooks_disabled_total", labels) or 0.0


async def test_a_pause_longer_than_the_day_does_not_keep_a_message_for_ever(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer, receiver.retry_after = lambda _: (429, b""), str(10**6)
    told = alerted()
    partner_ = await partner(stage, receiver)
    await a_task(stage, "One")
    await settle(stage)
    await stage.advance(NOON + timedelta(hours=23, minutes=59))
    assert (receiver.knocks, (await partner_.seen())["enabled"]) == (1, True)
    await stage.advance(NOON + timedelta(hours=24, minutes=1))
    seen = await partner_.seen()
    assert (receiver.knocks, seen["enabled"], seen["disabledReason"]) == (2, False, "FAILED_FOR_A_DAY")
    assert alerted() == told + 1, "operators are alerted by it"


async def test_a_message_that_takes_too_long_to_make_is_a_failed_attempt_and_is_tried_again(
    stage: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner_ = await partner(stage, receiver, document=SUBSCRIPTION)

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    with monkeypatch.context() as slowed:
        slowed.setattr(tasks, "matching", never)  # nobody else asks for a task in this way
        slowed.setattr(WAYS, "seconds", 0.2)
        await a_task(stage, "Call")
        async with asyncio.timeout(30):
            await settle(stage)
        seen = await partner_.seen()
        assert (receiver.knocks, seen["failingSince"] is not None, seen["enabled"]) == (0, True, True)
        (delivery,) = seen["deliveries"]["nodes"]
        late = {"status": None, "error": "UNPREPARED", "durationMs": 200, "answer": ""}
        assert delivery["state"] == "PENDING" and delivery["nextAt"] is not None
        assert delivery["attempts"]["nodes"] and all(each == late for each in delivery["attempts"]["nodes"])
    await stage.advance(NOON + timedelta(hours=3))
    (message,) = receiver.heard
    assert message.said["data"]["taskChanged"]["task"]["title"] == "Call"
    assert message.id == delivery["messageId"]
    assert await partner_.states() == ["DELIVERED"]


async def test_after_a_day_of_failure_it_is_disabled_with_the_reason_and_can_go_on(
    stage: Stage, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (503, b"not now")
    partner_ = await partner(stage, receiver)
    task = await a_task(stage, "One")
    await settle(stage)
    await stage.advance(NOON + timedelta(hours=23, minutes=59))
    assert (await partner_.seen())["enabled"]
    await stage.advance(NOON + timedelta(hours=24, minutes=1))
    seen = await partner_.seen()
    assert (seen["enabled"], seen["disabledReason"]) == (False, "FAILED_FOR_A_DAY")
    assert seen["disabledText"].isascii() and "24" in seen["zh"] and not seen["zh"].isascii()
    assert 8 <= len(receiver.heard) <= 20
    (attempts,) = [each["attempts"]["nodes"] for each in seen["deliveries"]["nodes"]]
    assert {(each["status"], each["error"], each["answer"]) for each in attempts} == {
        (503, "STATUS", "not now")
    }
    lines = await JournalLine.filter(workspace_id=stage.house.id, subject="webhook").order_by("id")
    assert [(line.name, line.data.get("reason")) for line in lines] == [
        ("webhook.created", None),
        ("webhook.disabled", "FAILED_FOR_A_DAY"),
    ]
    knocks = receiver.knocks
    await finish(stage, task)
    await stage.advance(NOON + timedelta(hours=30))
    assert receiver.knocks == knocks, "nobody knocks at a door that is disabled"
    receiver.answer = lambda _: (204, b"")
    receiver.heard.clear()
    await stage[Role.ADMIN].do(ENABLE, id=partner_.id, skip=False)
    await settle(stage)
    told = [name for name, _ in partner_.told()]
    assert (told[0], told[-1]) == ("task.opened", "task.completed"), told
    assert (await partner_.seen())["enabled"]


async def test_one_message_that_is_never_taken_is_given_up_and_the_others_go_on(
    stage: Stage, receiver: Receiver
) -> None:
    bad = await a_task(stage, "Bad")
    receiver.answer = lambda message: (500, b"") if message.said["data"]["id"] == bad else (200, b"")
    partner_ = await partner(stage, receiver)
    await stage.owner.do(_document("taskStart", "$id: ID!", "id: $id", "task { id }"), id=bad)
    await settle(stage)
    for hours in range(4, 33, 4):
        await a_task(stage, f"Good {hours}")
        await stage.advance(NOON + timedelta(hours=hours))
    assert (await partner_.seen())["enabled"]
    sent = await WebhookDelivery.filter(name="task.opened").exclude(subject_id=row_id("Task", bad))
    assert {each.state for each in sent} == {DeliveryState.DELIVERED} and len(sent) == 8
    unwanted = await WebhookDelivery.filter(subject_id=row_id("Task", bad)).order_by("position")
    assert unwanted[0].state is DeliveryState.FAILED
    assert DeliveryState.DELIVERED not in {each.state for each in unwanted}


async def test_one_delivery_or_a_stretch_is_sent_again_under_its_ids(
    stage: Stage, receiver: Receiver
) -> None:
    partner_ = await partner(stage, receiver)
    tasks = [await a_task(stage, f"Call {number}") for number in range(4)]
    await settle(stage)
    nodes = list(reversed((await partner_.seen())["deliveries"]["nodes"]))
    ids = [each["messageId"] for each in nodes]
    receiver.heard.clear()
    one = await stage.owner.do(AGAIN, id=nodes[2]["id"])
    assert one["delivery"]["state"] == "PENDING"
    await settle(stage)
    assert [message.id for message in receiver.heard] == [ids[2]]
    receiver.heard.clear()
    done = await stage.owner.do(REPLAY, id=partner_.id, after=nodes[0]["cursor"], until=nodes[2]["cursor"])
    assert (done["count"], done["nextAfter"]) == (2, None)
    await settle(stage)
    assert sorted(message.id for message in receiver.heard) == sorted(ids[1:3])
    # A webhook made later can be told of what came before it.
    async with receiving() as other:
        late = await partner(stage, other, name="Late")
        await settle(stage)
        assert other.heard == []
        await stage.owner.do(REPLAY, id=late.id, after=nodes[0]["cursor"])
        await settle(stage)
        assert sorted(late.told()) == sorted(("task.opened", task) for task in tasks[1:])
    wrong = (await stage.owner.response(REPLAY, id=partner_.id, after="x")).json()
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_while_a_secret_is_replaced_both_sign(stage: Stage, receiver: Receiver) -> None:
    partner_ = await partner(stage, receiver)
    rotated = await stage.owner.do(ROTATE, id=partner_.id)
    assert rotated["secret"] != partner_.secret and rotated["webhook"]["rotatingUntil"] is not None
    await a_task(stage, "Call")
    await settle(stage)
    (message,) = receiver.heard
    assert len(message.headers["webhook-signature"].split(" ")) == 2
    for secret in (partner_.secret, rotated["secret"]):
        Verifier(secret).verify(message.body, message.headers)


async def test_a_rehearsal_sends_nothing_and_a_test_does(stage: Stage, receiver: Receiver) -> None:
    partner_ = await partner(stage, receiver)
    shown = await stage.owner.do(TEST, id=partner_.id, send=False)
    assert (shown["headers"], shown["body"]) == (None, None), "nothing has happened yet"
    task = await a_task(stage, "Call")
    await stage.settle()
    receiver.heard.clear()
    shown = await stage.owner.do(TEST, id=partner_.id, send=False)
    headers = {each["name"]: each["value"] for each in shown["headers"]}
    said = Verifier(partner_.secret).verify(shown["body"], headers)
    assert (said["type"], said["data"]["id"]) == ("task.opened", task)
    assert receiver.heard == []
    sent = await stage.owner.do(TEST, id=partner_.id, send=True)
    assert sent["delivery"]["change"] == "webhook.test"
    await settle(stage)
    assert "webhook.test" in [message.said["type"] for message in receiver.heard]
    await stage.owner.do(DELETE, id=partner_.id)
    assert (await stage.owner.ask(SEEN, id=partner_.id))["webhook"] is None
    assert await WebhookDelivery.all().count() == await WebhookAttempt.all().count() == 0


async def test_runs_are_told_of_and_telling_of_them_comes_to_an_end(stage: Stage, receiver: Receiver) -> None:
    partner_ = await partner(stage, receiver, topics=["runs"])
    done = await stage.owner.do(
        _document("segmentationRecompute", "$k: String", "idempotencyKey: $k", "run { id }"), k="1"
    )
    await stage.owner.finish(done["run"]["id"])
    await settle(stage)
    await settle(stage)
    told = [name for name, run in partner_.told() if run == done["run"]["id"]]
    assert told == ["run.queued", "run.started", "run.succeeded"]
    kinds = {message.said["type"] for message in receiver.heard}
    assert "run.progressed" not in kinds
    heard = len(receiver.heard)
    deliveries = [run for run in await runs.Run.all() if run.kind == "webhook_deliver"]
    assert deliveries
    await stage.settle()
    assert len(receiver.heard) <= heard + 8, "only the turning of the clock is told of"
