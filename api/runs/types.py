"""The types of machine work."""

from datetime import datetime
from typing import Any

import strawberry

import api.runs.enums  # noqa: F401
from api.filters import EnumFilter, StringFilter
from api.nodes import Node, node_type
from domain import runs, timekeeping
from domain.runs import RunState


@strawberry.type(description="How far a run has come.")
class Progress:
    done: int = strawberry.field(description="Units done.")
    total: int | None = strawberry.field(description="Units in all; null while unknown.")
    unit: str = strawberry.field(description="What is counted, such as rows.")
    message: str = strawberry.field(description="What is being done.")
    eta_seconds: int | None = strawberry.field(
        description="Seconds to the end at the mean speed so far; null while nothing can be said."
    )


@strawberry.type(description="Why one attempt failed.")
class RunError:
    attempt: int = strawberry.field(description="Which attempt, from 1.")
    code: str = strawberry.field(description="The kind of failure.")
    message: str = strawberry.field(description="What went wrong, without personal data.")


@strawberry.type(description="One figure or object that a run left behind.")
class RunResultEntry:
    name: str = strawberry.field(description="What it is.")
    value: str = strawberry.field(description="Its value, as text.")


@node_type(runs.Run, description="One piece of machine work: an import, a recompute, a launch, a build.")
class Run(Node):
    kind: str = strawberry.field(description="What is done.")
    state: RunState = strawberry.field(description="Where it stands.")
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
        )

    @strawberry.field(description="Why attempts failed: the last few of them.")
    def errors(self: Any) -> list[RunError]:
        return [RunError(**error) for error in self.errors]

    @strawberry.field(description="What it left behind; null until it has succeeded.")
    def result(self: Any) -> list[RunResultEntry] | None:
        if self.result is None:
            return None
        return [RunResultEntry(name=name, value=str(value)) for name, value in self.result.items()]


@strawberry.input(description="Which runs.")
class RunWhere:
    kind: StringFilter | None = strawberry.field(default=strawberry.UNSET, description="By kind.")
    state: EnumFilter[RunState] | None = strawberry.field(default=strawberry.UNSET, description="By state.")
    and_: list["RunWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="and", description="All of these."
    )
    or_: list["RunWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="or", description="At least one of these."
    )
    not_: "RunWhere | None" = strawberry.field(default=strawberry.UNSET, name="not", description="Not this.")
