"""Questions about schedules, and what admins do to them."""

from typing import Annotated, Any, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.ids import row_id
from api.mutations import Expected, Refusal, mutation, payload, result
from api.nodes import kinds
from api.permissions import query
from api.runs.timetable import Schedule, ScheduleCalendar
from api.runs.types import Run
from domain import runs
from domain.access import ADMINS, EVERYONE
from domain.errors import NotFound
from domain.language import Language
from domain.runs import CatchUp, SchedulePreset

ScheduleId = Annotated[strawberry.ID, strawberry.argument(description="The schedule's id.")]
CRON = "Its times by the wall clock, as five fields of cron; `0 18 L * *` is a month's last day at 18:00."
JITTER = "By up to so many seconds it fires after its time, each time by others; up to a day."
CATCH_UP = "What is done about times that went by unseen; LATEST if left out."
CATCH_UP_SECONDS = "For so long after its time a missed one is worth doing: a minute to a year."


@strawberry.input(description="What a schedule hands over to its runs; what is left out is left to the run.")
class ScheduleArgumentsInput:
    language: Language | None = strawberry.field(default=None, description="Of a report: its language.")
    title_en: str | None = strawberry.field(default=None, description="Of a report: its title in English.")
    title_zh: str | None = strawberry.field(default=None, description="Of a report: its title in Chinese.")


@strawberry.input(
    description="A preset, or a name, a kind and times; what is given beside a preset replaces its own."
)
class ScheduleCreateInput:
    preset: SchedulePreset | None = strawberry.field(default=None, description="What to begin with.")
    name: str | None = strawberry.field(default=None, description="Its name; no other schedule has it.")
    kind: str | None = strawberry.field(
        default=None, description="The kind of run to ask for; a preset has its own."
    )
    cron: str | None = strawberry.field(default=None, description=CRON)
    zone: str | None = strawberry.field(
        default=None, description="The IANA zone whose wall clock it goes by; the workspace's if left out."
    )
    jitter_seconds: int | None = strawberry.field(default=None, description=JITTER)
    catch_up: CatchUp | None = strawberry.field(default=None, description=CATCH_UP)
    catch_up_seconds: int | None = strawberry.field(default=None, description=CATCH_UP_SECONDS)
    pause_on_failure: bool | None = strawberry.field(
        default=None, description="Whether a failed run of it pauses it; not if left out."
    )
    arguments: ScheduleArgumentsInput | None = strawberry.field(
        default=None, description="What it hands over to its runs."
    )


@strawberry.input(description="What changes about a schedule; what is left out or null stays.")
class ScheduleUpdateInput:
    name: str | None = strawberry.field(default=None, description="Its name; no other schedule has it.")
    cron: str | None = strawberry.field(default=None, description=CRON)
    zone: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The IANA zone whose wall clock it goes by; left out it stays, null is the workspace's.",
    )
    jitter_seconds: int | None = strawberry.field(default=None, description=JITTER)
    catch_up: CatchUp | None = strawberry.field(
        default=None, description="What is done about times that went by unseen."
    )
    catch_up_seconds: int | None = strawberry.field(default=None, description=CATCH_UP_SECONDS)
    pause_on_failure: bool | None = strawberry.field(
        default=None, description="Whether a failed run of it pauses it."
    )
    arguments: ScheduleArgumentsInput | None = strawberry.field(
        default=None, description="What it hands over to its runs, all of it."
    )


def _terms(given: ScheduleCreateInput | ScheduleUpdateInput) -> dict[str, Any]:
    """What was given, as the domain names it."""
    names = ("name", "cron", "jitter_seconds", "catch_up", "catch_up_seconds", "pause_on_failure")
    terms = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    if given.zone is not strawberry.UNSET:
        terms["zone"] = given.zone
    if given.arguments is not None:
        terms["args"] = {name: value for name, value in vars(given.arguments).items() if value is not None}
    return terms


@strawberry.type
class ScheduleQueries:
    @query("One schedule; null when there is none with this id here.", allow=EVERYONE)
    async def schedule(self, info: Info, id: ScheduleId) -> Schedule | None:
        try:
            number = row_id("Schedule", id)
        except NotFound:
            return None
        return cast(Schedule | None, (await kinds["Schedule"].visible(who(info), [number])).get(number))

    @query("What is asked for again and again, the oldest schedule first.", allow=EVERYONE, left=True)
    async def schedules(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Schedule]:
        page = await runs.page_of_schedules(who(info), part(first, last, after, before))
        return cast(Connection[Schedule], connection(page))

    @query("The calendars ready to be taken on with scheduleCreate.", allow=EVERYONE)
    async def schedule_presets(self, info: Info) -> list[ScheduleCalendar]:
        return [
            ScheduleCalendar(preset=preset, kind=begun.kind, cron=begun.cron)
            for preset, begun in runs.PRESETS.items()
        ]


@payload("A schedule was made.")
class ScheduleCreatePayload:
    schedule: Schedule = strawberry.field(description="The schedule.")


@payload("A schedule was changed.")
class ScheduleUpdatePayload:
    schedule: Schedule = strawberry.field(description="The schedule as it is now.")


@payload("A schedule is paused.")
class SchedulePausePayload:
    schedule: Schedule = strawberry.field(description="The schedule as it is now.")


@payload("A schedule goes on.")
class ScheduleResumePayload:
    schedule: Schedule = strawberry.field(description="The schedule as it is now.")


@payload("A schedule's run was asked for out of turn.")
class ScheduleFirePayload:
    run: Run = strawberry.field(description="The run that will do the work.")


@strawberry.type
class ScheduleMutations:
    @mutation("Have a kind of run asked for again and again.", allow=ADMINS)
    async def schedule_create(
        self,
        info: Info,
        input: Annotated[ScheduleCreateInput, strawberry.argument(description="What and when.")],
    ) -> Annotated[ScheduleCreatePayload | Refusal, result("ScheduleCreateResult")]:
        terms = _terms(input)
        made = await runs.create_schedule(who(info), preset=input.preset, kind=input.kind, **terms)
        return ScheduleCreatePayload(schedule=cast(Schedule, made))

    @mutation("Change a schedule. A new time counts from now on.", allow=ADMINS)
    async def schedule_update(
        self,
        info: Info,
        id: ScheduleId,
        input: Annotated[ScheduleUpdateInput, strawberry.argument(description="What changes.")],
        expected_version: Expected = None,
    ) -> Annotated[ScheduleUpdatePayload | Refusal, result("ScheduleUpdateResult")]:
        changed = await runs.update_schedule(
            who(info), row_id("Schedule", id), expected_version, **_terms(input)
        )
        return ScheduleUpdatePayload(schedule=cast(Schedule, changed))

    @mutation("Let a schedule fire no more until it is resumed.", allow=ADMINS)
    async def schedule_pause(
        self,
        info: Info,
        id: ScheduleId,
        reason: Annotated[str, strawberry.argument(description="Why, for the others to read.")] = "",
        expected_version: Expected = None,
    ) -> Annotated[SchedulePausePayload | Refusal, result("SchedulePauseResult")]:
        paused = await runs.pause_schedule(who(info), row_id("Schedule", id), reason, expected_version)
        return SchedulePausePayload(schedule=cast(Schedule, paused))

    @mutation("Let a paused schedule go on with its first time after now.", allow=ADMINS)
    async def schedule_resume(
        self, info: Info, id: ScheduleId, expected_version: Expected = None
    ) -> Annotated[ScheduleResumePayload | Refusal, result("ScheduleResumeResult")]:
        resumed = await runs.resume_schedule(who(info), row_id("Schedule", id), expected_version)
        return ScheduleResumePayload(schedule=cast(Schedule, resumed))

    @mutation("Ask for a schedule's run now, out of turn; its own times stay as they are.", allow=ADMINS)
    async def schedule_fire(
        self, info: Info, id: ScheduleId
    ) -> Annotated[ScheduleFirePayload | Refusal, result("ScheduleFireResult")]:
        return ScheduleFirePayload(run=cast(Run, await runs.fire_schedule(who(info), row_id("Schedule", id))))
