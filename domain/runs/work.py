"""What the code of a run sees of its run, and how kinds of run are declared."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain import db, journal
from domain.access import Principal, system
from domain.errors import DomainError, Invalid
from domain.journal import Entry
from domain.runs.models import Run, RunQueue


class Fenced(Exception):
    """This attempt was given up on: its lease ended and the run went on without it."""


class Cancelled(Exception):
    """Somebody asked for the run to end, and this is a point where it can."""


class Refused(Exception):
    """The business says no to this run; trying again would not help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def by(cls, error: DomainError) -> "Refused":
        return cls(error.problems[0].code.value, str(error))


Performer = Callable[["Work"], Awaitable[dict[str, Any] | None]]
Arguments = Callable[[Mapping[str, Any]], dict[str, Any]]


def no_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """For a kind that needs to be told nothing."""
    for name, value in given.items():
        if value is not None:
            raise Invalid("this kind of run takes no such argument", field=argument_place(name))
    return {}


def argument_place(name: str) -> str:
    """Where an argument of a schedule stands, in the API's spelling."""
    first, *others = name.split("_")
    return f"arguments.{first}{''.join(map(str.title, others))}"


class Overlap(StrEnum):
    """What a new asking does where a run of the same kind and key is already there."""

    SKIP = "SKIP"
    """The one that waits or runs serves it."""
    QUEUE_ONE = "QUEUE_ONE"
    """The one that waits serves it; beside one that runs, one more waits."""
    CANCEL_RUNNING = "CANCEL_RUNNING"
    """As QUEUE_ONE, and the one that runs is asked to end."""
    ALLOW = "ALLOW"
    """It gets a run of its own, whatever else there is."""


@dataclass(frozen=True)
class Kind:
    """A kind of run: its code, where it waits, and how it behaves."""

    name: str
    perform: Performer
    queue: str = RunQueue.DEFAULT
    priority: int = 100
    """The lower, the earlier, within one workspace and queue."""
    deadline_seconds: int = 3600
    """How long one attempt may take."""
    max_attempts: int = 8
    """How many attempts may end in an error; a refusal is never tried again."""
    max_deaths: int = 8
    """How many workers in a row may go away with a run, alone, that does not come a step further."""
    overlap: Overlap = Overlap.QUEUE_ONE
    limit: int | None = None
    """How many may run at once in one workspace."""
    schedulable: bool = False
    """Whether a schedule may ask for it."""
    unique_key: str | None = None
    """The key under which a schedule asks, so that it coalesces with whoever else asks."""
    arguments: Arguments = no_arguments
    """Checks what a schedule is to hand over; as it is to be kept, without what was left open."""


kinds: dict[str, Kind] = {}


def kind(name: str, **behaviour: Any) -> Callable[[Performer], Performer]:
    """Declare the function that performs runs of a kind. What it returns is the run's result.

    `behaviour` is what else `Kind` holds, such as its queue.
    """

    def declare(perform: Performer) -> Performer:
        assert name not in kinds, name
        kinds[name] = Kind(name, perform, **behaviour)
        return perform

    return declare


def performs(name: str) -> Callable[[Performer], Performer]:
    """Give a kind its performer, where the domain declares it and a worker knows how."""

    def declare(perform: Performer) -> Performer:
        kinds[name] = replace(kinds[name], perform=perform)
        return perform

    return declare


async def unknown(work: "Work") -> None:
    """The performer of a kind that this process can ask for but not do; it never claims one."""
    raise Refused("UNKNOWN_KIND", f"this process cannot perform runs of kind {work.run.kind}")


def performed_here() -> list[str]:
    """The kinds that this process can do. Others wait for a process of a version that knows them."""
    return [name for name, kind in kinds.items() if kind.perform is not unknown]


@dataclass
class Work:
    """One attempt at one run.

    Effects are written inside `step()`: one transaction that commits only while this attempt still
    holds the run, together with the cursor and progress set in it. A run that is killed goes on from
    the last step that committed.
    """

    run: Run
    lease_seconds: float = 30

    @property
    def workspace_id(self) -> int:
        return int(self.run.workspace_id)

    @property
    def args(self) -> dict[str, Any]:
        args: dict[str, Any] = self.run.args
        return args

    @property
    def cursor(self) -> dict[str, Any]:
        """What the last committed step left; empty at the first attempt."""
        return dict(self.run.cursor or {})

    @property
    def who(self) -> Principal:
        """The machine, acting for this run."""
        return system(self.run.workspace_id, "run", self.run.id)

    @asynccontextmanager
    async def step(
        self,
        cursor: dict[str, Any] | None = None,
        *,
        done: int | None = None,
        total: int | None = None,
        unit: str | None = None,
        message: str | None = None,
    ) -> AsyncIterator["Step"]:
        """A fenced transaction. Its values may also be set on the yielded `Step` before it ends.

        Raises:
            Fenced: at the end, with everything rolled back, when the run has gone on without us.
            Cancelled: at the end, with everything rolled back, when the run is to end.
        """
        step = Step(cursor, done, total, unit, message)
        async with db.transaction():
            yield step
            await self._commit(step)

    async def _commit(self, step: "Step") -> None:
        run = self.run
        cursor = run.cursor if step.cursor is None else step.cursor
        state = await db.rows(
            """UPDATE runs SET cursor = :cursor, progress_done = :done, progress_total = :total,
                 progress_unit = :unit, progress_message = :message, deaths = 0,
                 lease_until = {now+lease}, version = version + 1
               WHERE workspace_id = :workspace AND id = :id AND fence = :fence
                 AND state IN ('RUNNING', 'CANCELLING') RETURNING state, version""",
            cursor=db.encode(cursor) if cursor is not None else None,
            done=run.progress_done if step.done is None else step.done,
            total=run.progress_total if step.total is None else step.total,
            unit=run.progress_unit if step.unit is None else step.unit,
            message=run.progress_message if step.message is None else step.message,
            lease=self.lease_seconds,
            workspace=run.workspace_id,
            id=run.id,
            fence=run.fence,
        )
        if not state:
            raise Fenced(f"run {run.id} went on without attempt {run.attempt}")
        if state[0]["state"] == "CANCELLING":
            raise Cancelled
        run.cursor = cursor
        run.version = state[0]["version"]
        for name in ("done", "total", "unit", "message"):
            value = getattr(step, name)
            if value is not None:
                setattr(run, f"progress_{name}", value)
        await journal.write(self.who, Entry("run.progressed", run.id))

    async def checkpoint(self, **progress: Any) -> None:
        """A step without effects: show progress, renew the lease, and end here if asked to."""
        async with self.step(**progress):
            pass


@dataclass
class Step:
    """What a step leaves behind besides its effects."""

    cursor: dict[str, Any] | None = None
    done: int | None = None
    total: int | None = None
    unit: str | None = None
    message: str | None = None


def eta_seconds(run: Run, now: datetime) -> int | None:
    """Seconds to the end at the mean speed so far; none while nothing can be said."""
    if not run.progress_total or run.started_at is None or run.progress_done <= 0:
        return None
    if run.progress_done >= run.progress_total:
        return 0
    spent = (now - run.started_at).total_seconds()
    return int(spent / run.progress_done * (run.progress_total - run.progress_done))


def per_second(run: Run, now: datetime) -> float | None:
    """Units a second since it first began, until it ended; none while nothing can be said."""
    if run.started_at is None or run.progress_done <= 0:
        return None
    spent = ((run.finished_at or now) - run.started_at).total_seconds()
    return round(run.progress_done / spent, 1) if spent > 0 else None
