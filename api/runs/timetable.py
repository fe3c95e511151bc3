"""The types of schedules: what asks for runs again and again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

import strawberry

import api.runs.enums  # noqa: F401
from api.context import Info, load
from api.nodes import Node, extends, node_type
from api.runs.types import Run
from domain import runs, workspaces
from domain.language import Language
from domain.runs import CatchUp, SchedulePreset

InLanguage = Annotated[
    Language | None, strawberry.argument(description="In which language; the workspace's if left out.")
]


@strawberry.type(description="What a schedule hands over to its runs; null is left to the run.")
class ScheduleArguments:
    language: Language | None = strawberry.field(description="Of a report: its language.")
    title_en: str | None = strawberry.field(description="Of a report: its title where it is in English.")
    title_zh: str | None = strawberry.field(description="Of a report: its title where it is in Chinese.")


@node_type(runs.Schedule, description="Asks for a kind of run again and again, by the wall clock of a zone.")
class Schedule(Node):
    name: str = strawberry.field(description="Its name; that of its preset where it was made from one.")
    kind: str = strawberry.field(description="The kind of run that it asks for.")
    cron: str = strawberry.field(
        description="Minute, hour, day of the month (`L`: the last), month, day of the week. A time that the "
        "clocks leave out comes after the gap; one that comes twice counts once, unless the hour is `*`."
    )
    jitter_seconds: int = strawberry.field(description="By up to so many seconds it fires after its time.")
    catch_up: CatchUp = strawberry.field(description="What is done about times that went by unseen.")
    catch_up_seconds: int = strawberry.field(
        description="For so long after its time a missed one is worth doing."
    )
    pause_on_failure: bool = strawberry.field(description="Whether a failed run of it pauses it.")
    pause_reason: str = strawberry.field(description="Why it is paused; empty where nobody said.")
    paused_at: datetime | None = strawberry.field(description="Since when it is paused; null: it is not.")
    next_at: datetime | None = strawberry.field(
        description="When it fires next, in business time; null while it is paused."
    )
    last_slot_at: datetime | None = strawberry.field(description="Its latest time that has come.")
    missed: int = strawberry.field(description="How many of its times went by without a run.")
    created_at: datetime = strawberry.field(description="When it was made, in machine time.")
    version: int = strawberry.field(description="Rises with each change; firing is none.")

    @strawberry.field(description="Its name for people.")
    async def title(self: Any, info: Info, language: InLanguage = None) -> str:
        return runs.label_of(self.name)(language or (await _workspace(info)).language)

    @strawberry.field(description="The zone whose wall clock it goes by: its own, or the workspace's.")
    async def zone(self: Any, info: Info) -> str:
        return str(self.zone or (await _workspace(info)).zone)

    @strawberry.field(description="Whether it is paused.")
    def paused(self: Any) -> bool:
        return self.paused_at is not None

    @strawberry.field(description="What it hands over to its runs.")
    def arguments(self: Any) -> ScheduleArguments:
        language = self.args.get("language")
        return ScheduleArguments(
            language=Language(language) if language else None,
            title_en=self.args.get("title_en"),
            title_zh=self.args.get("title_zh"),
        )

    @strawberry.field(description="When it fires next, the first five times; none while it is paused.")
    async def next_fire_times(self: Any, info: Info) -> list[datetime]:
        return runs.upcoming(self, (await _workspace(info)).zone)

    @strawberry.field(description="The run it asked for last; null before the first, or long after it.")
    async def last_run(self: Any, info: Info) -> Run | None:
        return cast(Run | None, await load(info, runs.Run.by_ids, self.last_run_id))


@extends(Run)
class ScheduledRun:
    slot_at: datetime | None = strawberry.field(
        description="For which time of its schedule it was asked; null where it was asked out of turn."
    )

    @strawberry.field(description="The schedule that asked for it.")
    async def schedule(self: Any, info: Info) -> Schedule | None:
        return cast(Schedule | None, await load(info, _schedules, self.schedule_id))


@strawberry.type(description="What a schedule made from a preset begins with.")
class ScheduleCalendar:
    preset: SchedulePreset = strawberry.field(description="The preset.")
    kind: str = strawberry.field(description="The kind of run that it asks for.")
    cron: str = strawberry.field(description="Its times, in the workspace's zone.")

    @strawberry.field(description="Its name for people.")
    async def title(self, info: Info, language: InLanguage = None) -> str:
        return runs.label_of(self.preset.value)(language or (await _workspace(info)).language)


async def _schedules(workspace_id: int, ids: list[int]) -> Mapping[int, Any]:
    return await runs.Schedule.by_ids(workspace_id, ids)


async def _workspaces(workspace_id: int, keys: list[int]) -> Mapping[int, Any]:
    return dict.fromkeys(keys, await workspaces.get(workspace_id))


async def _workspace(info: Info) -> workspaces.Workspace:
    return cast(workspaces.Workspace, await load(info, _workspaces, 0))
