"""Customers at risk: three levels, one open alert of each customer, until they are back (A-13, A-14, A-15)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.context import Context
from api.schema import schema
from domain.access import Role
from tests.stories.conftest import Open
from tests.stories.documents import CUSTOMER_UPSERT, INTERACTION_RECORD, ORDER_RECORD, REFUSAL
from tests.stories.stage import Stage, shanghai

ALERT = (
    "id level state outcome openedAt raisedAt closedAt byHand note version owner { role } "
    "customer { externalId } reasons { code level since value before }"
)
CUSTOMER = (
    "query ($id: String!) { customer(externalId: $id) { unansweredContacts alerts(first: 10) "
    "{ totalCount nodes { " + ALERT + " } } } }"
)
ALERTS = (
    "query ($where: AlertWhere, $by: AlertOrder! = OPENED_AT, $way: SortDirection! = ASC) "
    "{ alerts(where: $where, orderBy: $by, direction: $way) { totalCount nodes { id level state "
    "customer { externalId } } } }"
)
SHARES = "{ alertShares { customers blue yellow red redShare } }"
EVALUATE = (
    "mutation { alertsEvaluate { __typename ... on AlertsEvaluatePayload { run { id kind } } "
    + REFUSAL
    + " } }"
)
CLOSE = (
    "mutation ($id: ID!, $input: AlertCloseInput!, $version: Int) "
    "{ alertClose(id: $id, input: $input, expectedVersion: $version) { __typename "
    "... on AlertClosePayload { alert { " + ALERT + " } } " + REFUSAL + " } }"
)
EVENT = "mutation ($input: EventRecordInput!) { eventRecord(input: $input) { __typename " + REFUSAL + " } }"
SCHEDULE = (
    "mutation { scheduleCreate(input: {preset: NIGHTLY_ALERTS}) { __typename "
    "... on ScheduleCreatePayload { schedule { kind cron } } " + REFUSAL + " } }"
)
TIMELINE = "query ($id: String!) { customer(externalId: $id) { timeline(first: 50) { nodes { event at } } } }"
MARCH = {day: shanghai(f"2025-03-{day:02}T10:00") for day in range(1, 32)}


async def customer(stage: Stage, key: str = "C-1", **more: Any) -> str:
    made = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": key, **more})
    return str(made["customer"]["id"])


async def contact(stage: Stage, who: str, at: datetime, **more: Any) -> None:
    """A call that nobody answered, unless it is said otherwise."""
    said = {"channel": "PHONE", "direction": "OUTBOUND", "result": "NO_ANSWER", "occurredAt": at.isoformat()}
    await stage.executor.do(INTERACTION_RECORD, customer=who, input=said | more)
    await stage.settle()


async def events(stage: Stage, key: str, *days: int, now: datetime) -> None:
    for day in days:
        at = (now - timedelta(days=day)).isoformat()
        given = {"externalId": f"{key}-{day}", "customerExternalId": key, "name": "login", "occurredAt": at}
        await stage.owner.do(EVENT, input=given)


async def orders(stage: Stage, key: str, *days: int, now: datetime) -> None:
    for day in days:
        amount = {"amount": "10.00", "currency": "CNY"}
        at = (now - timedelta(days=day)).isoformat()
        given = {"externalId": f"{key}-{day}", "customerExternalId": key, "orderedAt": at, "amount": amount}
        await stage.owner.do(ORDER_RECORD, input=given)


async def known(stage: Stage, key: str = "C-1") -> tuple[int, list[dict[str, Any]]]:
    found = (await stage[Role.ANALYST].ask(CUSTOMER, id=key))["customer"]
    assert found["alerts"]["totalCount"] == len(found["alerts"]["nodes"])
    return found["unansweredContacts"], found["alerts"]["nodes"]


async def evaluate(stage: Stage) -> dict[str, str]:
    done = await stage[Role.ANALYST].do(EVALUATE)
    assert done["run"]["kind"] == "alert_evaluation"
    run = await stage.owner.finish(done["run"]["id"])
    return {entry["name"]: entry["value"] for entry in run["result"]}


def utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def told(stage: Stage, key: str = "C-1") -> list[str]:
    nodes = (await stage.owner.ask(TIMELINE, id=key))["customer"]["timeline"]["nodes"]
    return [node["event"] for node in reversed(nodes) if node["event"].startswith("alert.")]


async def three_calls(stage: Stage, who: str) -> None:
    """The three calls of A-13, each on its day."""
    for day in (1, 5, 9):
        await stage.advance(MARCH[day])
        await contact(stage, who, MARCH[day])


async def test_three_calls_without_an_answer_are_red_72_hours_after_the_last_once(stage_at: Open) -> None:
    """A-13 (a): RED is raised on 12 March at 10:00, once; a notice in between neither counts nor resets."""
    async with stage_at(shanghai("2025-03-01T09:00")) as stage:
        who = await customer(stage)
        for day in (1, 5, 9):
            await stage.advance(MARCH[day])
            await contact(stage, who, MARCH[day])
            if day == 5:
                await contact(stage, who, MARCH[5], personal=False, result="REACHED")
                await contact(stage, who, MARCH[5], result="WRONG_ADDRESS")
        await stage.advance(MARCH[12] - timedelta(seconds=1))
        assert await known(stage) == (2, [])

        await stage.advance(MARCH[12])
        count, (alert,) = await known(stage)
        assert (count, alert["level"], alert["state"]) == (3, "RED", "OPEN")
        assert alert["openedAt"] == alert["raisedAt"] == utc(MARCH[12])
        assert alert["reasons"] == [
            {"code": "UNANSWERED", "level": "RED", "since": utc(MARCH[12]), "value": 3, "before": 3}
        ]
        await contact(stage, who, MARCH[12])
        await stage.advance(MARCH[20])
        await evaluate(stage)
        assert (await known(stage))[0] == 4
        assert await told(stage) == ["alert.opened"]
        assert (await stage[Role.ANALYST].ask(SHARES))["alertShares"] == {
            "customers": 1, "blue": 0, "yellow": 0, "red": 1, "redShare": "1.000000",
        }  # fmt: skip


@pytest.mark.parametrize(
    "reply",
    [{"direction": "INBOUND", "result": "REACHED"}, {"result": "REACHED"}, {"result": "REFUSED"}],
    ids=["they-called", "they-answered", "they-said-no"],
)
async def test_a_reply_in_time_sets_the_counter_back_and_there_is_no_alert(
    stage_at: Open, reply: dict[str, str]
) -> None:
    """A-13 (b): the reply of 11 March."""
    async with stage_at(shanghai("2025-03-01T09:00")) as stage:
        who = await customer(stage)
        await three_calls(stage, who)
        await stage.advance(MARCH[11])
        assert (await known(stage))[0] == 2
        await contact(stage, who, MARCH[11], **reply)
        assert await known(stage) == (0, [])
        await stage.advance(MARCH[20])
        assert await known(stage) == (0, [])
        assert (await stage.owner.ask(SHARES))["alertShares"]["redShare"] == "0.000000"


async def test_a_reply_after_it_closes_the_alert_and_three_more_calls_open_another(stage_at: Open) -> None:
    async with stage_at(shanghai("2025-03-01T09:00")) as stage:
        who = await customer(stage)
        await three_calls(stage, who)
        await stage.advance(MARCH[17])
        await contact(stage, who, MARCH[17], direction="INBOUND", result="REACHED")
        count, (alert,) = await known(stage)
        assert (count, alert["state"], alert["outcome"], alert["byHand"]) == (
            0,
            "CLOSED",
            "REACTIVATED",
            False,
        )
        assert (alert["level"], alert["closedAt"]) == ("RED", utc(MARCH[17]))
        for day in (18, 21, 24):
            await stage.advance(MARCH[day])
            await contact(stage, who, MARCH[day])
        await stage.advance(MARCH[27])
        _, (second, first) = await known(stage)
        assert (first["id"], second["state"], second["level"]) == (alert["id"], "OPEN", "RED")
        assert await told(stage) == ["alert.opened", "alert.closed", "alert.opened"]


@pytest.mark.parametrize(
    ("current", "previous", "level"), [(6, 12, "YELLOW"), (7, 12, None), (3, 0, None)], ids=["6", "7", "0"]
)
async def test_activity_down_by_half_is_yellow(
    stage_at: Open, current: int, previous: int, level: str | None
) -> None:
    """A-14: 6 after 12 is down 50.0 %, 7 after 12 is 41.7 %; of nothing nothing can be lost."""
    now = shanghai("2025-03-10T20:00")
    async with stage_at(now) as stage:
        await customer(stage)
        await events(stage, "C-1", *range(1, current + 1), *range(31, 31 + previous), now=now)
        await stage.settle()
        await evaluate(stage)
        _, alerts = await known(stage)
        assert [
            (alert["level"], alert["reasons"][0]["value"], alert["reasons"][0]["before"]) for alert in alerts
        ] == ([(level, current, previous)] if level else [])


async def test_fewer_orders_join_the_yellow_alert_that_is_open_and_its_level_stays(stage_at: Open) -> None:
    """A-15: orders 4 and then 2; the BLUE reason is added, the level stays YELLOW, the alert is the same one."""
    now = shanghai("2025-03-10T20:00")
    async with stage_at(now) as stage:
        await customer(stage)
        await events(stage, "C-1", 1, 31, 32, now=now)
        await stage.settle()
        _, (yellow,) = await known(stage)
        assert (yellow["level"], [reason["code"] for reason in yellow["reasons"]]) == (
            "YELLOW",
            ["ACTIVITY_DOWN"],
        )

        await orders(stage, "C-1", 10, 20, 70, 80, 95, 100, now=now)
        await stage.settle()
        assert (await known(stage))[1] == [yellow], "four in the last 90 days, two in those before"
        await stage.owner.do(SCHEDULE)
        await stage.advance(now + timedelta(days=20))
        assert (await known(stage))[1] == [yellow], "three in each"
        await stage.advance(now + timedelta(days=22))
        _, (alert,) = await known(stage)
        assert alert["id"] == yellow["id"]
        assert (alert["level"], alert["state"], alert["raisedAt"]) == ("YELLOW", "OPEN", yellow["raisedAt"])
        assert [(r["code"], r["level"]) for r in alert["reasons"]] == [
            ("ACTIVITY_DOWN", "YELLOW"), ("ORDERS_DOWN", "BLUE"),
        ]  # fmt: skip
        assert (alert["reasons"][1]["value"], alert["reasons"][1]["before"]) == (2, 4)
        assert await told(stage) == ["alert.opened", "alert.changed"]


async def test_a_blue_alert_rises_to_red_and_closes_only_when_every_reason_has_passed(stage_at: Open) -> None:
    async with stage_at(shanghai("2025-03-01T09:00")) as stage:
        who = await customer(stage)
        await orders(stage, "C-1", 100, now=MARCH[1])
        await stage.settle()
        _, (blue,) = await known(stage)
        assert blue["level"] == "BLUE"
        await three_calls(stage, who)
        await stage.advance(MARCH[12])
        _, (red,) = await known(stage)
        assert (red["id"], red["level"], red["openedAt"]) == (blue["id"], "RED", blue["openedAt"])
        assert red["raisedAt"] == utc(MARCH[12])

        await contact(stage, who, MARCH[12], result="REACHED")
        _, (still,) = await known(stage)
        assert (still["state"], still["level"], [r["code"] for r in still["reasons"]]) == (
            "OPEN", "RED", ["ORDERS_DOWN"],
        )  # fmt: skip
        await orders(stage, "C-1", 0, now=MARCH[12])
        await stage.settle()
        _, (closed,) = await known(stage)
        assert (closed["state"], closed["outcome"]) == ("CLOSED", "REACTIVATED")
        assert await told(stage) == ["alert.opened", "alert.raised", "alert.changed", "alert.closed"]


async def test_an_alert_is_closed_by_hand_with_its_outcome_and_comes_up_only_by_something_new(
    stage_at: Open,
) -> None:
    async with stage_at(shanghai("2025-03-01T09:00")) as stage:
        who = await customer(stage)
        await three_calls(stage, who)
        await stage.advance(MARCH[12])
        _, (alert,) = await known(stage)
        given: dict[str, Any] = {
            "id": alert["id"],
            "input": {"outcome": "MISTAKEN", "note": "On a long journey"},
        }

        (reason,) = await stage.executor.refused(CLOSE, **given, version=alert["version"] + 1)
        assert (reason["code"], reason["field"]) == ("CONFLICT", ["expectedVersion"])
        (reason,) = await stage.executor.refused(CLOSE, id=alert["id"], input={"outcome": "WITHDRAWN"})
        assert (reason["code"], reason["field"]) == ("INVALID", ["input", "outcome"])
        (reason,) = await stage.executor.refused(
            CLOSE, id=alert["id"], input={"outcome": "LOST", "note": "x" * 4001}
        )
        assert (reason["code"], reason["field"]) == ("INVALID", ["input", "note"])
        answer = (await stage[Role.ANALYST].response(CLOSE, **given)).json()
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert (await known(stage))[1] == [alert], "and nothing happened"

        closed = (await stage.executor.do(CLOSE, **given, version=alert["version"]))["alert"]
        assert (closed["state"], closed["outcome"], closed["byHand"]) == ("CLOSED", "MISTAKEN", True)
        assert closed["note"] == "On a long journey"
        assert (await known(stage))[1][0]["note"] != "On a long journey", "an analyst sees it masked"
        (reason,) = await stage.executor.refused(CLOSE, **given)
        assert reason["code"] == "CLOSED"

        await stage.advance(MARCH[20])
        await evaluate(stage)
        assert ((await known(stage))[0], await told(stage)) == (0, ["alert.opened", "alert.closed"])
        for day in (21, 24, 27):
            await stage.advance(MARCH[day])
            await contact(stage, who, MARCH[day])
        await stage.advance(MARCH[30])
        assert await told(stage) == ["alert.opened", "alert.closed", "alert.opened"]


async def test_who_is_excluded_or_has_left_is_at_no_risk_any_more(stage_at: Open) -> None:
    now = shanghai("2025-03-01T09:00")
    async with stage_at(now) as stage:
        for key in ("tested", "left"):
            await customer(stage, key)
            await orders(stage, key, 100, now=now)
        await stage.settle()
        nodes = (await stage.owner.ask(ALERTS, where={"state": {"eq": "OPEN"}}))["alerts"]["nodes"]
        assert {node["level"] for node in nodes} == {"BLUE"}
        assert {node["customer"]["externalId"] for node in nodes} == {"tested", "left"}
        ids = {n["customer"]["externalId"]: n for n in nodes}
        for document, key in (
            ("customerExclude(id: $id, reason: TEST)", "tested"),
            ("customerCancel(id: $id)", "left"),
        ):
            of = await stage.owner.ask("query ($id: String!) { customer(externalId: $id) { id } }", id=key)
            await stage.owner.do(
                "mutation ($id: ID!) { " + document + " { __typename " + REFUSAL + " } }",
                id=of["customer"]["id"],
            )
        await stage.settle()
        await evaluate(stage)
        ends = {key: (await known(stage, key))[1] for key in ids}
        assert [ends["tested"][0]["outcome"], ends["left"][0]["outcome"]] == ["WITHDRAWN", "LOST"]
        assert all(len(alerts) == 1 for alerts in ends.values())
        assert (await stage.owner.ask(SHARES))["alertShares"] == {
            "customers": 0, "blue": 0, "yellow": 0, "red": 0, "redShare": None,
        }  # fmt: skip


async def test_alerts_are_listed_by_level_owner_and_time(stage_at: Open) -> None:
    now = shanghai("2025-03-01T09:00")
    async with stage_at(now) as stage:
        viewer = (await stage.executor.ask("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
        await customer(stage, "mine", ownerId=viewer)
        await orders(stage, "mine", 100, now=now)
        await customer(stage, "other")
        await events(stage, "other", 40, now=now)
        await stage.settle()

        async def keys(**where: Any) -> list[str]:
            found = (await stage.executor.ask(ALERTS, where=where or None))["alerts"]
            assert found["totalCount"] == len(found["nodes"])
            return [node["customer"]["externalId"] for node in found["nodes"]]

        assert await keys() == ["mine", "other"]
        assert await keys(level={"eq": "YELLOW"}) == ["other"]
        assert await keys(owner={"eq": viewer}) == ["mine"]
        assert await keys(owner={"eq": None}) == ["other"]
        assert await keys(**{"not": {"level": {"eq": "YELLOW"}}}) == ["mine"]
        assert await keys(openedAt={"lte": (now - timedelta(seconds=1)).isoformat()}) == []
        assert await keys(outcome={"in": ["LOST"]}) == []


async def test_changes_are_heard_live_and_by_who_looks_after_the_customer(stage_at: Open) -> None:
    now = shanghai("2025-03-01T09:00")
    async with stage_at(now) as stage:
        start = (await stage.owner.ask("{ feed(first: 1) { head } }"))["feed"]["head"]
        viewer = (await stage.executor.ask("{ viewer { user { id } } }"))["viewer"]["user"]["id"]
        for key, more in (("other", {}), ("mine", {"ownerId": viewer})):
            await customer(stage, key, **more)
            await orders(stage, key, 100, now=now)
        await stage.settle()

        async def heard(role: Role) -> AsyncIterator[dict[str, Any]]:
            stream: Any = await schema.subscribe(
                "subscription ($after: String) { alertChanged(after: $after) { cursor change alert "
                "{ level customer { externalId } } } }",
                {"after": start},
                context_value=Context(stage.house.staff[role]),
            )
            async for event in stream:
                assert not event.errors
                yield event.data["alertChanged"]

        async with asyncio.timeout(30):
            everything = heard(Role.OWNER)
            first, second = await anext(everything), await anext(everything)
            assert [each["alert"]["customer"]["externalId"] for each in (first, second)] == ["other", "mine"]
            assert (first["change"], first["alert"]["level"]) == ("alert.opened", "BLUE")
            own = await anext(heard(Role.EXECUTOR))
            assert (own["alert"]["customer"]["externalId"], own["cursor"]) == ("mine", second["cursor"])
