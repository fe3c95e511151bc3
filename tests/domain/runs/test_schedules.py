"""Schedules: who may make them, what is refused, and when they fire next."""

from datetime import datetime
from typing import Any

import pytest

from domain import runs, timekeeping, workspaces
from domain.access import ADMINS, Role
from domain.errors import Conflict, DomainError, Duplicate, ErrorCode, Forbidden, NotFound
from domain.journal import JournalLine
from domain.language import Language
from domain.runs import PRESETS, CatchUp, Run, RunState, Schedule, SchedulePreset, label_of
from tests.conftest import NOON, House, build_house
from tests.security.rows import differences, snapshot
from tests.stories.stage import shanghai

KIND = "kpi_snapshot"


async def made(house: House, **terms: Any) -> Schedule:
    given: dict[str, Any] = {"name": "measure", "kind": KIND, "cron": "0 6 * * *"}
    given = {name: term for name, term in (given | terms).items() if term is not None}
    return await runs.create_schedule(house.admin, **given)


async def told(house: House) -> list[tuple[str, str]]:
    lines = await JournalLine.filter(workspace_id=house.id, subject="schedule").order_by("id")
    return [(line.name, line.actor) for line in lines]


async def test_a_schedule_fires_first_at_its_first_time_after_now(house: House) -> None:
    schedule = await made(house)
    assert (schedule.next_at, schedule.next_slot_at) == (shanghai("2025-03-04 06:00:00"),) * 2
    assert (schedule.catch_up, schedule.catch_up_seconds, schedule.missed) == (CatchUp.LATEST, 86_400, 0)
    assert runs.upcoming(schedule, "Asia/Shanghai") == [
        shanghai(f"2025-03-{day:02} 06:00:00") for day in range(4, 9)
    ]
    assert await told(house) == [("schedule.created", house.admin.label)]


async def test_its_own_zone_decides_where_it_has_one(house: House) -> None:
    schedule = await made(house, zone="America/New_York", cron="0 2 * * *")
    await house.turn(datetime.fromisoformat("2025-03-08T20:00:00Z"))
    schedule = await runs.update_schedule(house.admin, schedule.id, cron="30 2 * * *")
    assert [at.isoformat() for at in runs.upcoming(schedule, "Asia/Shanghai", 2)] == [
        "2025-03-09T07:00:00+00:00",
        "2025-03-10T06:30:00+00:00",
    ]
    schedule = await runs.update_schedule(house.admin, schedule.id, zone=None)
    assert schedule.next_at == shanghai("2025-03-10 02:30:00")


async def test_jitter_moves_the_firing_and_not_the_slot(house: House) -> None:
    schedule = await made(house, jitter_seconds=3600)
    assert schedule.next_at is not None and schedule.next_slot_at == shanghai("2025-03-04 06:00:00")
    assert 0 < (schedule.next_at - schedule.next_slot_at).total_seconds() <= 3600
    assert (runs.upcoming(schedule, "Asia/Shanghai"))[0] == schedule.next_at


async def test_each_preset_makes_a_schedule_of_a_kind_there_is(house: House) -> None:
    for preset in SchedulePreset:
        assert runs.kinds[PRESETS[preset].kind].schedulable
        schedule = await runs.create_schedule(house.owner, preset=preset)
        assert (schedule.name, schedule.kind) == (preset, PRESETS[preset].kind)
        labels = {label_of(schedule.name)(language) for language in Language}
        assert len(labels) == 2 and preset.value not in labels
        run = await runs.fire_schedule(house.owner, schedule.id)
        assert await runs.perform(run.id, "test", 30)
        done = await Run.get(id=run.id)
        if preset is SchedulePreset.MONTHLY_REFIT:  # there is nobody here whose orders could be fitted to
            assert (done.state, done.error_code) == (RunState.FAILED, "TOO_FEW_CUSTOMERS")
        else:
            assert done.state is RunState.SUCCEEDED


async def test_the_presets_come_when_the_documents_say(house: House) -> None:
    first = {}
    for preset in SchedulePreset:
        schedule = await runs.create_schedule(house.owner, preset=preset)
        first[preset.value] = schedule.next_at
    assert first == {
        "NIGHTLY_RECOMPUTE": shanghai("2025-03-04 02:00:00"),
        "NIGHTLY_RANKS": shanghai("2025-03-04 01:00:00"),
        "FREQUENT_PLACEMENT": shanghai("2025-03-03 12:10:00"),
        "NIGHTLY_HEALTH": shanghai("2025-03-04 03:15:00"),
        "NIGHTLY_ALERTS": shanghai("2025-03-04 03:30:00"),
        "NIGHTLY_KPIS": shanghai("2025-03-04 03:00:00"),
        "FRIDAY_REVIEW": shanghai("2025-03-07 09:00:00"),
        "MONTH_REPORT": shanghai("2025-03-31 18:00:00"),
        "QUARTER_REPORT": shanghai("2025-03-31 18:00:00"),
        "MONTHLY_REFIT": shanghai("2025-04-01 04:00:00"),
    }


async def test_terms_beside_a_preset_stand_in_place_of_its_own(house: House) -> None:
    schedule = await runs.create_schedule(
        house.admin, preset=SchedulePreset.MONTH_REPORT, name="Berlin", zone="Europe/Berlin"
    )
    assert (schedule.name, schedule.next_at) == ("Berlin", datetime.fromisoformat("2025-03-31T16:00:00Z"))
    assert schedule.args == {"title_en": "Monthly report", "title_zh": "月度报告"}


REFUSED: list[tuple[dict[str, Any], ErrorCode, str]] = [
    ({"name": " "}, ErrorCode.REQUIRED, "name"),
    ({"name": None}, ErrorCode.REQUIRED, "name"),
    ({"name": "x" * 65}, ErrorCode.INVALID, "name"),
    ({"name": "MONTH_REPORT"}, ErrorCode.INVALID, "name"),
    ({"kind": None}, ErrorCode.REQUIRED, "kind"),
    ({"kind": "nothing"}, ErrorCode.INVALID, "kind"),
    ({"kind": "orders_import"}, ErrorCode.INVALID, "kind"),
    ({"kind": "clock_advance"}, ErrorCode.INVALID, "kind"),
    ({"cron": None}, ErrorCode.REQUIRED, "cron"),
    ({"cron": "0 6 * *"}, ErrorCode.INVALID, "cron"),
    ({"zone": "Mars/Base"}, ErrorCode.INVALID, "zone"),
    ({"zone": ""}, ErrorCode.INVALID, "zone"),
    ({"jitter_seconds": -1}, ErrorCode.INVALID, "jitterSeconds"),
    ({"jitter_seconds": 86_401}, ErrorCode.INVALID, "jitterSeconds"),
    ({"catch_up_seconds": 59}, ErrorCode.INVALID, "catchUpSeconds"),
    ({"args": {"language": "EN"}}, ErrorCode.INVALID, "arguments.language"),
    ({"kind": "report_build", "args": {"title_en": "x" * 201}}, ErrorCode.INVALID, "arguments.titleEn"),
    ({"kind": "report_build", "args": {"title": "x"}}, ErrorCode.INVALID, "arguments.title"),
    ({"preset": SchedulePreset.MONTH_REPORT}, ErrorCode.INVALID, "kind"),
]


async def test_what_will_not_do_is_refused_and_nothing_is_made(house: House) -> None:
    before = await snapshot()
    for wrong, code, field in REFUSED:
        with pytest.raises(DomainError) as refused:
            await made(house, **wrong)
        assert (code, tuple(field.split("."))) in [(p.code, p.field) for p in refused.value.problems], wrong
    assert differences(before, await snapshot()) == {}


async def test_every_reason_is_given_at_once(house: House) -> None:
    with pytest.raises(DomainError) as refused:
        await runs.create_schedule(house.admin, cron="x", zone="x", jitter_seconds=-1)
    assert [problem.field[0] for problem in refused.value.problems] == [
        "name",
        "kind",
        "cron",
        "zone",
        "jitterSeconds",
    ]


async def test_a_name_is_given_once(house: House) -> None:
    schedule = await made(house)
    other = await made(house, name="other")
    preset = await runs.create_schedule(house.admin, preset=SchedulePreset.NIGHTLY_KPIS)
    before = await snapshot()
    with pytest.raises(Duplicate) as refused:
        await made(house)
    assert refused.value.problems[0].field == ("name",)
    with pytest.raises(Duplicate) as refused:
        await runs.create_schedule(house.admin, preset=SchedulePreset.NIGHTLY_KPIS)
    assert refused.value.problems[0].field == ("preset",)
    with pytest.raises(Duplicate):
        await runs.update_schedule(house.admin, other.id, name=schedule.name)
    assert differences(before, await snapshot()) == {}
    await runs.update_schedule(house.admin, preset.id, name="NIGHTLY_KPIS", jitter_seconds=5)
    await made(await build_house("Elsewhere"))


async def test_only_admins_look_after_schedules(house: House) -> None:
    schedule = await made(house)
    before = await snapshot()
    for role in set(Role) - ADMINS:
        who = house.staff[role]
        for asked in (
            runs.create_schedule(who, preset=SchedulePreset.NIGHTLY_KPIS),
            runs.update_schedule(who, schedule.id, name="mine"),
            runs.pause_schedule(who, schedule.id),
            runs.resume_schedule(who, schedule.id),
            runs.fire_schedule(who, schedule.id),
        ):
            with pytest.raises(Forbidden):
                await asked
    assert differences(before, await snapshot()) == {}


async def test_a_schedule_of_another_workspace_is_not_found(house: House) -> None:
    theirs = await made(await build_house("Theirs"))
    before = await snapshot()
    for asked in (
        runs.update_schedule(house.admin, theirs.id, name="mine"),
        runs.pause_schedule(house.admin, theirs.id),
        runs.resume_schedule(house.admin, theirs.id),
        runs.fire_schedule(house.admin, theirs.id),
    ):
        with pytest.raises(NotFound):
            await asked
    assert differences(before, await snapshot()) == {}


async def test_a_change_counts_from_now_on_and_the_same_again_changes_nothing(house: House) -> None:
    schedule = await made(house)
    changed = await runs.update_schedule(
        house.admin, schedule.id, schedule.version, cron="0  7 * * *", catch_up=CatchUp.ALL
    )
    assert (changed.next_at, changed.cron) == (shanghai("2025-03-04 07:00:00"), "0 7 * * *")
    assert changed.version == schedule.version + 1
    before = await snapshot()
    again = await runs.update_schedule(house.admin, schedule.id, cron="0 7 * * *", catch_up=CatchUp.ALL)
    assert again.version == changed.version
    with pytest.raises(Conflict):
        await runs.update_schedule(house.admin, schedule.id, schedule.version, name="late")
    assert differences(before, await snapshot()) == {}
    (line,) = await JournalLine.filter(workspace_id=house.id, name="schedule.changed")
    assert line.data == {"fields": ["catch_up", "cron"]}


async def test_a_paused_schedule_does_not_fire_and_goes_on_with_the_next_slot(house: House) -> None:
    schedule = await made(house)
    paused = await runs.pause_schedule(house.admin, schedule.id, "holidays")
    assert (paused.next_at, paused.paused_at, paused.pause_reason) == (None, NOON, "holidays")
    assert runs.upcoming(paused, "Asia/Shanghai") == []
    before = await snapshot()
    await runs.pause_schedule(house.owner, schedule.id, "again")
    assert differences(before, await snapshot()) == {}

    await house.turn(shanghai("2025-03-06 08:00:00"))
    assert await runs.due_schedules(await timekeeping.now(house.id), house.id) == []
    still = await runs.update_schedule(house.admin, schedule.id, cron="0 9 * * *")
    assert still.next_at is None
    resumed = await runs.resume_schedule(house.admin, schedule.id)
    assert (resumed.next_at, resumed.paused_at, resumed.pause_reason, resumed.missed) == (
        shanghai("2025-03-06 09:00:00"),
        None,
        "",
        0,
    )
    before = await snapshot()
    await runs.resume_schedule(house.admin, schedule.id)
    assert differences(before, await snapshot()) == {}
    assert [name for name, _ in await told(house)] == [
        "schedule.created",
        "schedule.paused",
        "schedule.changed",
        "schedule.resumed",
    ]


async def test_firing_out_of_turn_leaves_the_slots_as_they_are(house: House) -> None:
    schedule = await made(house)
    run = await runs.fire_schedule(house.admin, schedule.id)
    again = await runs.fire_schedule(house.admin, schedule.id)
    assert again.id == run.id, "who asks while it waits gets the run that waits"
    assert (run.schedule_id, run.slot_at, run.started_by) == (schedule.id, None, house.admin.label)
    after = await Schedule.get(id=schedule.id)
    assert (after.next_at, after.last_slot_at, after.last_run_id) == (schedule.next_at, None, run.id)
    assert await Run.filter(workspace_id=house.id).count() == 1
    await runs.pause_schedule(house.admin, schedule.id)
    assert await runs.perform(run.id, "test", 30)
    assert (await runs.fire_schedule(house.admin, schedule.id)).id != run.id, "be it paused or not"


async def test_a_schedule_looks_at_its_workspace_s_own_language_for_a_report(house: House) -> None:
    from domain.kpis import Report

    schedule = await runs.create_schedule(house.admin, preset=SchedulePreset.MONTH_REPORT)
    titles = []
    for terms in ({}, {"args": {**schedule.args, "language": "EN"}}, {"args": {}}):
        await runs.update_schedule(house.admin, schedule.id, **terms)  # type: ignore[typeddict-item]
        run = await runs.fire_schedule(house.admin, schedule.id)
        assert await runs.perform(run.id, "test", 30)
        report = await Report.get(workspace_id=house.id, run_id=run.id)
        titles.append((report.title, report.language))
    assert (await workspaces.get(house.id)).language is Language.ZH_CN
    assert titles == [
        ("月度报告", Language.ZH_CN),
        ("Monthly report", Language.EN),
        ("客户运营分析报告", Language.ZH_CN),
    ]
