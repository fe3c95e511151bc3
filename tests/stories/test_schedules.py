"""A-45, as far as there are runs for it: the calendar does its work by itself, each time once, at its instant."""

import asyncio
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from api.ids import row_id
from domain import runs
from domain.access import Role
from domain.journal import JournalLine
from domain.runs import Work
from tests.stories.documents import REFUSAL
from tests.stories.stage import Asker, Stage, shanghai

SCHEDULE = (
    "id name title(language: EN) zh: title(language: ZH_CN) kind cron zone jitterSeconds catchUp catchUpSeconds "
    "pauseOnFailure paused pausedAt pauseReason nextAt lastSlotAt nextFireTimes missed version "
    "arguments { language titleEn titleZh } lastRun { id state slotAt }"
)
CREATE = (
    "mutation ($input: ScheduleCreateInput!) { scheduleCreate(input: $input) { __typename "
    "... on ScheduleCreatePayload { schedule { " + SCHEDULE + " } } " + REFUSAL + " } }"
)
UPDATE = (
    "mutation ($id: ID!, $input: ScheduleUpdateInput!, $seen: Int) "
    "{ scheduleUpdate(id: $id, input: $input, expectedVersion: $seen) { __typename "
    "... on ScheduleUpdatePayload { schedule { " + SCHEDULE + " } } " + REFUSAL + " } }"
)
PAUSE = (
    "mutation ($id: ID!, $reason: String!) { schedulePause(id: $id, reason: $reason) { __typename "
    "... on SchedulePausePayload { schedule { " + SCHEDULE + " } } " + REFUSAL + " } }"
)
RESUME = (
    "mutation ($id: ID!) { scheduleResume(id: $id) { __typename "
    "... on ScheduleResumePayload { schedule { " + SCHEDULE + " } } " + REFUSAL + " } }"
)
FIRE = (
    "mutation ($id: ID!) { scheduleFire(id: $id) { __typename "
    "... on ScheduleFirePayload { run { id slotAt schedule { name } } } " + REFUSAL + " } }"
)
BUILT = "{ reports(first: 100) { nodes { title asOf run { state startedBy slotAt schedule { name } } } } }"


async def made(asker: Asker, **given: Any) -> dict[str, Any]:
    schedule: dict[str, Any] = (await asker.do(CREATE, input=given))["schedule"]
    return schedule


async def seen(asker: Asker, schedule: dict[str, Any]) -> dict[str, Any]:
    data = await asker.ask("query ($id: ID!) { schedule(id: $id) { " + SCHEDULE + " } }", id=schedule["id"])
    found: dict[str, Any] = data["schedule"]
    return found


def at(*walls: str) -> list[str]:
    """Wall times of the stage as the API writes instants."""
    return [shanghai(wall).astimezone(UTC).isoformat().replace("+00:00", "Z") for wall in walls]


async def reports(asker: Asker) -> list[tuple[str, str, str]]:
    nodes = (await asker.ask(BUILT))["reports"]["nodes"]
    assert {node["run"]["state"] for node in nodes} <= {"SUCCEEDED"}
    assert all(node["run"]["slotAt"] == node["asOf"] for node in nodes)
    return sorted((node["asOf"], node["run"]["schedule"]["name"], node["title"]) for node in nodes)


async def test_a45_the_friday_review_and_the_month_s_report_are_each_built_once(stage: Stage) -> None:
    admin = stage[Role.ADMIN]
    friday = await made(admin, preset="FRIDAY_REVIEW")
    month = await made(admin, preset="MONTH_REPORT")
    assert (friday["title"], friday["zh"], friday["zone"]) == ("Friday review", "周五复盘", "Asia/Shanghai")
    assert month["nextFireTimes"] == at(
        "2025-03-31 18:00:00",
        "2025-04-30 18:00:00",
        "2025-05-31 18:00:00",
        "2025-06-30 18:00:00",
        "2025-07-31 18:00:00",
    )
    (twice,) = await admin.refused(CREATE, input={"preset": "MONTH_REPORT"})
    assert (twice["code"], twice["field"]) == ("DUPLICATE", ["input", "preset"])

    await stage.advance(shanghai("2025-03-07 08:59:59"))
    assert await reports(admin) == []
    await stage.advance(shanghai("2025-03-07 09:00:00"))
    assert await reports(admin) == [(*at("2025-03-07 09:00:00"), "FRIDAY_REVIEW", "周五复盘")]
    await stage.advance(shanghai("2025-04-01 00:00:00"))
    expected = [
        (*at("2025-03-07 09:00:00"), "FRIDAY_REVIEW", "周五复盘"),
        (*at("2025-03-14 09:00:00"), "FRIDAY_REVIEW", "周五复盘"),
        (*at("2025-03-21 09:00:00"), "FRIDAY_REVIEW", "周五复盘"),
        (*at("2025-03-28 09:00:00"), "FRIDAY_REVIEW", "周五复盘"),
        (*at("2025-03-31 18:00:00"), "MONTH_REPORT", "月度报告"),
    ]
    assert await reports(admin) == expected

    run = (await seen(admin, month))["lastRun"]
    assert (run["state"], run["slotAt"]) == ("SUCCEEDED", *at("2025-03-31 18:00:00"))
    # A second worker that hears of the same slot or run has nothing to do.
    number, schedule = row_id("Run", run["id"]), row_id("Schedule", month["id"])
    assert not await runs.perform(number, "second", 30)
    assert not await runs.fire_slot(stage.house.id, schedule, shanghai("2025-03-31 18:00:00"))
    await stage.settle()
    assert await reports(admin) == expected


async def test_the_night_places_everybody_and_measures_them(stage: Stage) -> None:
    owner = stage.owner
    await made(owner, preset="NIGHTLY_RECOMPUTE")
    await made(owner, preset="NIGHTLY_KPIS")
    await stage.advance(shanghai("2025-03-05 12:00:00"))
    data = await owner.ask(
        "{ runs(first: 50) { nodes { kind state slotAt schedule { name } } } schedules { totalCount nodes { missed } } }"
    )
    slots = [
        (run["kind"], run["state"], run["slotAt"])
        for run in data["runs"]["nodes"]
        if run["schedule"] is not None
    ]
    assert sorted(slots) == [
        ("kpi_snapshot", "SUCCEEDED", at_) for at_ in at("2025-03-04 03:00:00", "2025-03-05 03:00:00")
    ] + [
        ("segmentation_recompute", "SUCCEEDED", at_)
        for at_ in at("2025-03-04 02:00:00", "2025-03-05 02:00:00")
    ]
    assert data["schedules"] == {"totalCount": 2, "nodes": [{"missed": 0}, {"missed": 0}]}


async def test_an_admin_changes_pauses_resumes_and_fires_a_schedule(stage: Stage) -> None:
    admin = stage[Role.ADMIN]
    schedule = await made(
        admin,
        name="Berlin",
        kind="report_build",
        cron="0 8 * * 1-5",
        zone="Europe/Berlin",
        arguments={"language": "EN", "titleEn": "Morning"},
    )
    assert schedule["arguments"] == {"language": "EN", "titleEn": "Morning", "titleZh": None}
    assert schedule["nextAt"] == "2025-03-03T07:00:00Z"
    changed = (await admin.do(UPDATE, id=schedule["id"], input={"zone": None, "jitterSeconds": 0}))[
        "schedule"
    ]
    assert (changed["zone"], [changed["nextAt"]]) == ("Asia/Shanghai", at("2025-03-04 08:00:00"))
    (late,) = await admin.refused(UPDATE, id=schedule["id"], input={"name": "x"}, seen=schedule["version"])
    assert late["code"] == "CONFLICT"
    (wrong,) = await admin.refused(UPDATE, id=schedule["id"], input={"cron": "0 25 * * *"})
    assert (wrong["code"], wrong["field"]) == ("INVALID", ["input", "cron"])

    paused = (await admin.do(PAUSE, id=schedule["id"], reason="holidays"))["schedule"]
    assert (paused["paused"], paused["pauseReason"], paused["nextFireTimes"]) == (True, "holidays", [])
    await stage.advance(shanghai("2025-03-06 12:00:00"))
    assert await reports(admin) == []
    fired = (await admin.do(FIRE, id=schedule["id"]))["run"]
    assert fired["schedule"] == {"name": "Berlin"} and fired["slotAt"] is None
    await admin.finish(fired["id"])
    resumed = (await admin.do(RESUME, id=schedule["id"]))["schedule"]
    assert (resumed["paused"], [resumed["nextAt"]], resumed["missed"]) == (
        False,
        at("2025-03-07 08:00:00"),
        0,
    )
    lines = await JournalLine.filter(workspace_id=stage.house.id, subject="schedule").order_by("id")
    assert [line.name.partition(".")[2] for line in lines] == [
        "created",
        "changed",
        "paused",
        "fired",
        "resumed",
    ]
    (actor,) = {line.actor for line in lines}
    assert actor.startswith("api_key:"), "whoever did it is told"


async def test_a_schedule_whose_run_fails_pauses_itself_before_its_next_time(
    stage: Stage, monkeypatch: Any
) -> None:
    async def refuse(work: Work) -> None:
        raise runs.Refused("NO_FIGURES", "nothing to measure")

    monkeypatch.setitem(runs.kinds, "kpi_snapshot", replace(runs.kinds["kpi_snapshot"], perform=refuse))
    schedule = await made(
        stage.owner, name="hourly", kind="kpi_snapshot", cron="0 * * * *", pauseOnFailure=True
    )
    other = await made(stage.owner, name="always", kind="kpi_snapshot", cron="30 * * * *")
    begin = shanghai("2025-03-03 13:00:00")
    await stage.advance(begin + timedelta(hours=5))
    after, kept = await asyncio.gather(seen(stage.owner, schedule), seen(stage.owner, other))
    assert (after["paused"], [after["pausedAt"]], after["nextAt"]) == (True, at("2025-03-03 13:00:00"), None)
    assert after["pauseReason"].endswith("NO_FIGURES")
    assert after["lastRun"]["state"] == "FAILED"
    assert (kept["paused"], kept["missed"]) == (False, 0)
    counted = await stage.owner.ask("{ runs(where: {state: {eq: FAILED}}) { totalCount } }")
    assert counted["runs"]["totalCount"] == 1 + 6


async def test_presets_are_listed_in_both_languages_and_only_admins_take_one_on(stage: Stage) -> None:
    analyst = stage[Role.ANALYST]
    data = await analyst.ask(
        "{ schedulePresets { preset kind cron title(language: EN) zh: title(language: ZH_CN) } schedules { totalCount } }"
    )
    assert [row["preset"] for row in data["schedulePresets"]] == [
        "NIGHTLY_RECOMPUTE",
        "NIGHTLY_RANKS",
        "FREQUENT_PLACEMENT",
        "NIGHTLY_KPIS",
        "FRIDAY_REVIEW",
        "MONTH_REPORT",
        "QUARTER_REPORT",
        "MONTHLY_REFIT",
        "NIGHTLY_ALERTS",
        "NIGHTLY_HEALTH",
    ]
    assert all(row["title"].isascii() and not row["zh"].isascii() for row in data["schedulePresets"])
    answer = (await analyst.response(CREATE, input={"preset": "MONTH_REPORT"})).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert (await analyst.ask("{ schedules { totalCount } }"))["schedules"] == {"totalCount": 0}
