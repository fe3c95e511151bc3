"""The types of machine work."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import strawberry

import api.runs.enums  # noqa: F401
from api.context import Info, load
from api.filters import DateTimeFilter, EnumFilter, StringFilter
from api.nodes import Node, node_type, row_type
from domain import runs, timekeeping
from domain.runs import RunQueue, RunState


@strawberry.type(description="How far a run has come.")
class Progress:
    done: int = strawberry.field(description="Units done.")
    total: int | None = strawberry.field(description="Units in all; null while unknown.")
    unit: str = strawberry.field(description="What is counted, such as rows.")
    message: str = strawberry.field(description="What is being done.")
    eta_seconds: int | None = strawberry.field(
        description="Seconds to the end at the mean speed so far; null while nothing can be said."
    )
    per_second: float | None = strawberry.field(
        description="Units a second, on the mean since it first began; null while nothing can be said."
    )


@strawberry.type(description="Why one attempt failed.")
class RunError:
    attempt: int = strawberry.field(description="Which attempt, from 1.")
    code: str = strawberry.field(description="The kind of failure.")
    message: str = strawberry.field(description="What went wrong, without personal data.")
    worker: str | None = strawberry.field(description="The worker that had it.")
    at: datetime | None = strawberry.field(description="When it failed.")


@strawberry.type(description="One figure or object that a run left behind.")
class RunResultEntry:
    name: str = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="Its value, as text.")


@node_type(runs.Run, description="One piece of machine work: an import, a recompute, a launch, a build.")
class Run(Node):
    kind: str = strawberry.field(description="What is done.")
    state: RunState = strawberry.field(description="Where it stands.")
    priority: int = strawberry.field(
        description="Its place among the workspace's runs of one queue: the lower, the earlier."
    )
    run_at: datetime = strawberry.field(
        description="When it may start at the earliest: later than asked for where it waits for a try."
    )
    attempt: int = strawberry.field(description="How often it was tried.")
    started_by: str = strawberry.field(description="Who or what asked for it, such as `user:3`.")
    queued_at: datetime = strawberry.field(description="When it was asked for.")
    started_at: datetime | None = strawberry.field(description="When it first began.")
    finished_at: datetime | None = strawberry.field(description="When it ended.")
    worker: str | None = strawberry.field(
        description="The worker that has it or had it last: machine, process id and a random mark."
    )
    error_code: str | None = strawberry.field(description="Why it failed, if it did.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="How far it has come.")
    def progress(self: Any) -> Progress:
        return Progress(
            done=self.progress_done,
            total=self.progress_total,
            unit=self.progress_unit,
            message=self.progress_message,
            eta_seconds=runs.eta_seconds(self, timekeeping.machine_now()),
            per_second=runs.per_second(self, timekeeping.machine_now()),
        )

    @strawberry.field(description="Why attempts failed: the last few of them.")
    def errors(self: Any) -> list[RunError]:
        return [
            RunError(
                attempt=error["attempt"],
                code=error["code"],
                message=error["message"],
                worker=error.get("worker"),
                at=datetime.fromisoformat(error["at"]) if "at" in error else None,
            )
            for error in self.errors
        ]

    @strawberry.field(description="Where it waits for a worker.")
    def queue(self: Any) -> RunQueue:
        return RunQueue(self.queue)

    @strawberry.field(description="The waiting run of its kind and key to which this one gave way.")
    async def merged_into(self: Any, info: Info) -> "Run | None":
        return cast("Run | None", await load(info, _runs, self.merged_into))

    @strawberry.field(description="What it left behind; null until it has succeeded.")
    def result(self: Any) -> list[RunResultEntry] | None:
        if self.result is None:
            return None
        return [RunResultEntry(name=name, value=str(value)) for name, value in self.result.items()]


async def _runs(workspace_id: int, ids: list[int]) -> Mapping[int, Any]:
    return await runs.Run.by_ids(workspace_id, ids)


@strawberry.input(description="Which runs.")
class RunWhere:
    kind: StringFilter | None = strawberry.field(default=strawberry.UNSET, description="By kind.")
    queue: EnumFilter[RunQueue] | None = strawberry.field(default=strawberry.UNSET, description="By queue.")
    error_code: StringFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By why they failed, such as POISONED."
    )
    started_by: StringFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By who or what asked for them."
    )
    worker: StringFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By the worker that has them or had them last."
    )
    queued_at: DateTimeFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By when they were asked for."
    )
    finished_at: DateTimeFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By when they ended."
    )
    state: EnumFilter[RunState] | None = strawberry.field(default=strawberry.UNSET, description="By state.")
    and_: list["RunWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="and", description="All of these."
    )
    or_: list["RunWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="or", description="At least one of these."
    )
    not_: "RunWhere | None" = strawberry.field(default=strawberry.UNSET, name="not", description="Not this.")


@strawberry.type(description="A queue of this workspace's machine work.")
class Queue:
    name: RunQueue = strawberry.field(description="Which queue.")
    waiting: int = strawberry.field(description="Runs that wait: for a worker, their time or another try.")
    running: int = strawberry.field(description="Runs that a worker has.")
    oldest_at: datetime | None = strawberry.field(
        description="Since when the run that waits longest could have started; null when none could."
    )
    paused: bool = strawberry.field(description="Whether no more of its runs start.")


@row_type(runs.RunPause, description="A queue or a kind of run of which no more start.")
class RunPause:
    @strawberry.field(description="The queue; null when a kind is paused.")
    def queue(self: Any) -> RunQueue | None:
        return RunQueue(self.queue) if self.queue else None

    kind: str | None = strawberry.field(description="The kind; null when a queue is paused.")
    reason: str = strawberry.field(description="Why, as whoever paused it said.")
    paused_by: str = strawberry.field(description="Who paused it.")
    paused_at: datetime = strawberry.field(description="When it was paused.")


@strawberry.input(description="A queue or a kind of run.", one_of=True)
class RunSelection:
    queue: RunQueue | None = strawberry.field(default=strawberry.UNSET, description="All runs of this queue.")
    kind: str | None = strawberry.field(default=strawberry.UNSET, description="All runs of this kind.")

    def named(self) -> dict[str, str | None]:
        return {
            "queue": self.queue.value if self.queue else None,
            "kind": None if self.kind is strawberry.UNSET else self.kind,
        }
