"""What the ledger is believed to hold: a dictionary of runs, and in plain Python what each command does to it."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.runs import ACTIVE, ENDED, QUEUES, WAITING, Kind, Overlap, Run, RunQueue, RunState
from domain.runs.rescue import IN_COMPANY
from domain.runs.retention import KEPT
from domain.runs.work import Performer, unknown

S = RunState
MAX_ATTEMPTS, MAX_DEATHS = 3, 2
PAUSABLE = ["one", "few", "many"]


def kinds_of(perform: Performer) -> dict[str, Kind]:
    """A kind with each overlap policy, one with a limit and an urgent queue, and one nobody here can do."""
    often = {"max_attempts": MAX_ATTEMPTS, "max_deaths": MAX_DEATHS}
    return {
        "skip": Kind("skip", perform, overlap=Overlap.SKIP, **often),
        "one": Kind("one", perform, overlap=Overlap.QUEUE_ONE, priority=50, **often),
        "over": Kind("over", perform, overlap=Overlap.CANCEL_RUNNING, **often),
        "many": Kind("many", perform, overlap=Overlap.ALLOW, queue=RunQueue.REPORTS, **often),
        "few": Kind("few", perform, limit=1, queue=RunQueue.TIMERS, priority=10, **often),
        "newer": Kind("newer", unknown),
    }


@dataclass
class Believed:
    """One run. When it may start and until when it is leased is read off the row; all else is foretold."""

    id: int
    workspace: int
    kind: Kind
    key: str | None
    state: RunState
    run_at: datetime
    lease_until: datetime | None = None
    finished_at: datetime | None = None
    fence: int = 0
    attempt: int = 0
    failures: int = 0
    deaths: int = 0
    error_code: str | None = None
    merged_into: int | None = None
    worker: str | None = None
    lines: list[str] = field(default_factory=list)
    """The journal's lines of it, in order."""
    effects: int = 0

    def to(self, state: RunState) -> None:
        """A change of state, and its line."""
        self.state = state
        self.lines.append("run.started" if state is S.RUNNING else f"run.{state.value.lower()}")

    def end(self, state: RunState, code: str | None = None, into: int | None = None) -> None:
        self.to(state)
        self.error_code, self.merged_into = code, into


class Ledger:
    """All runs, what is paused, and the rules."""

    def __init__(self) -> None:
        self.runs: dict[int, Believed] = {}
        self.paused: set[tuple[int, str]] = set()

    # --- questions ---

    def of_key(self, run: Believed, states: Collection[RunState]) -> Believed | None:
        """Another run of the same workspace, kind and key in one of these states."""
        if run.key is None:
            return None
        found = [
            other
            for other in self.runs.values()
            if other.id != run.id
            and (other.workspace, other.kind, other.key) == (run.workspace, run.kind, run.key)
            and other.state in states
        ]
        assert len(found) <= 1, "the ledger has at most one waiting and one active of a key"
        return found[0] if found else None

    def active(self, workspace: int, kind: Kind | None = None) -> int:
        return sum(
            run.workspace == workspace and run.state in ACTIVE and kind in (None, run.kind)
            for run in self.runs.values()
        )

    def free(self, now: datetime, queues: Collection[str]) -> list[Believed]:
        """What may start: its time has come, and no pause, twin or ignorance is in its way."""
        return [
            run
            for run in self.runs.values()
            if run.state is S.QUEUED
            and run.run_at <= now
            and run.kind.queue in queues
            and run.kind.perform is not unknown
            and not {(run.workspace, run.kind.queue), (run.workspace, run.kind.name)} & self.paused
            and self.of_key(run, ACTIVE) is None
        ]

    # --- commands ---

    def ask(self, run: Believed) -> Believed:
        """The run that will serve this asking: `run` itself, or one that is there, no later than asked for."""
        overlap = run.kind.overlap
        if overlap is Overlap.ALLOW:
            run.key = None
        waiting, active = self.of_key(run, WAITING), self.of_key(run, ACTIVE)
        if waiting is not None:
            self.no_later(waiting, run, S.SCHEDULED)
        if overlap is Overlap.SKIP and (waiting or active):
            return waiting or active  # type: ignore[return-value]
        if overlap is Overlap.CANCEL_RUNNING and active is not None and active.state is S.RUNNING:
            active.to(S.CANCELLING)
        return waiting or run

    def no_later(self, waiting: Believed, asked: Believed, *states: S) -> None:
        if waiting.state in states and waiting.run_at > asked.run_at:
            waiting.to(S.QUEUED if asked.state is S.QUEUED else waiting.state)

    def add(self, run: Believed, state: RunState) -> None:
        self.runs[run.id] = run
        run.to(state)

    def take(self, run: Believed, worker: str) -> None:
        run.fence, run.attempt, run.worker = run.fence + 1, run.attempt + 1, worker
        run.to(S.RUNNING)

    def pull(self, now: datetime, queues: Collection[str], limit: int) -> list[Believed]:
        """Which are taken: by turns between workspaces, within one the urgent before the old."""
        turns = []
        for workspace in sorted({run.workspace for run in self.runs.values()}):
            free = sorted(
                (run for run in self.free(now, queues) if run.workspace == workspace),
                key=lambda run: (run.kind.priority, run.run_at, run.id),
            )
            busy = self.active(workspace)
            turns += [(busy + n, r.kind.priority, r.run_at, r.id, r) for n, r in enumerate(free[:limit])]
        return self._with_room([turn[-1] for turn in sorted(turns, key=lambda turn: turn[:4])[:limit]])

    def _with_room(self, found: Iterable[Believed]) -> list[Believed]:
        taken: list[Believed] = []
        for run in found:
            same = sum(one.workspace == run.workspace and one.kind is run.kind for one in taken)
            if run.kind.limit is None or self.active(run.workspace, run.kind) + same < run.kind.limit:
                taken.append(run)
        return taken

    def claim(self, now: datetime, run: Believed) -> bool:
        return run in self.free(now, QUEUES) and bool(self._with_room([run]))

    def holds(self, id: int, fence: int) -> Believed | None:
        """The run that an attempt with this fence still has; none for one that was given up on."""
        run = self.runs.get(id)
        return run if run is not None and run.fence == fence and run.state in ACTIVE else None

    def step(self, run: Believed) -> bool:
        """Whether a step commits."""
        if run.state is S.CANCELLING:
            return False
        run.deaths = 0
        run.lines.append("run.progressed")
        return True

    def succeed(self, run: Believed) -> None:
        run.end(S.SUCCEEDED)

    def fail(self, run: Believed, code: str, *, final: bool) -> None:
        final = final or run.failures + 1 >= MAX_ATTEMPTS
        if run.state is S.CANCELLING and not final:
            run.end(S.CANCELLED)
            return
        run.failures, run.deaths = run.failures + 1, 0
        twin = self.of_key(run, WAITING)
        if final:
            run.end(S.FAILED, code)
        elif twin is not None:
            run.end(S.FAILED, "MERGED", twin.id)
        else:
            run.end(S.RETRYING, code)

    def give_back(self, run: Believed) -> None:
        if run.state is S.CANCELLING:
            run.end(S.CANCELLED)
            return
        run.attempt -= 1
        twin = self.of_key(run, WAITING)
        if twin is not None:
            run.end(S.FAILED, "MERGED", twin.id)
        else:
            run.end(S.QUEUED)

    def cancel(self, run: Believed) -> None:
        if run.state is S.RUNNING:
            run.to(S.CANCELLING)
        elif run.state in WAITING:
            run.end(S.CANCELLED)

    def again(self, run: Believed, now: datetime) -> Believed:
        """Retry an ended run; the one that does the work."""
        twin = self.of_key(run, WAITING)
        if twin is not None:
            self.no_later(twin, replace(run, state=S.QUEUED, run_at=now), S.SCHEDULED, S.RETRYING)
            return twin
        run.failures = run.deaths = 0
        run.finished_at = None
        run.end(S.QUEUED)
        return run

    def promote(self, now: datetime) -> int:
        due = [r for r in self.runs.values() if r.state in (S.SCHEDULED, S.RETRYING) and r.run_at <= now]
        for run in due:
            run.to(S.QUEUED)
        return len(due)

    def rescue(self, now: datetime) -> int:
        lost = [r for r in self.runs.values() if r.state in ACTIVE and r.lease_until and r.lease_until < now]
        together = Counter(run.worker for run in lost)
        for run in sorted(lost, key=lambda run: (run.lease_until, run.id)):
            most = MAX_DEATHS * (1 if together[run.worker] == 1 else IN_COMPANY)
            run.fence, run.deaths = run.fence + 1, run.deaths + 1
            twin = self.of_key(run, WAITING)
            if run.state is S.CANCELLING:
                run.end(S.CANCELLED)
            elif run.deaths >= most:
                run.end(S.FAILED, "POISONED")
            elif twin is not None:
                run.end(S.FAILED, "MERGED", twin.id)
            else:
                run.end(S.QUEUED)
        return len(lost)

    def prune(self, now: datetime) -> int:
        old = [
            run.id
            for run in self.runs.values()
            if run.state in ENDED and run.finished_at and run.finished_at < now - KEPT[run.state]
        ]
        for id in old:
            del self.runs[id]
        for run in self.runs.values():
            if run.merged_into in old:
                run.merged_into = None
        return len(old)

    # --- what holds whatever happens ---

    def check(self, stored: Collection[Run], lines: dict[int, list[str]], effects: dict[int, int]) -> None:
        """The rows, the journal and the effects are as believed."""
        assert {run.id for run in stored} == set(self.runs)
        for row in stored:
            run = self.runs[row.id]
            told = {name: getattr(row, name) for name in FORETOLD}
            assert told == {name: getattr(run, name) for name in FORETOLD}, (row.id, run.kind.name)
            assert lines.get(row.id, []) == run.lines, row.id
            assert effects.get(row.id, 0) == run.effects <= 1, row.id
            assert (row.finished_at is not None) == (row.state in ENDED)
            assert (row.lease_until is not None) == (row.state in ACTIVE)
            if row.state is S.SUCCEEDED:
                assert run.effects == 1
                assert row.result == {"did": row.id}
            if row.merged_into is not None:
                serves = self.runs[row.merged_into]
                assert (serves.workspace, serves.kind, serves.key) == (run.workspace, run.kind, run.key)
            run.run_at, run.lease_until, run.finished_at = row.run_at, row.lease_until, row.finished_at
        for states in (WAITING, ACTIVE):
            keyed = [
                (run.workspace, run.kind.name, run.key)
                for run in self.runs.values()
                if run.key is not None and run.state in states
            ]
            assert len(keyed) == len(set(keyed))
        for workspace in {run.workspace for run in self.runs.values()}:
            for kind in {run.kind.name: run.kind for run in self.runs.values()}.values():
                assert kind.limit is None or self.active(workspace, kind) <= kind.limit


FORETOLD = (
    "state",
    "fence",
    "attempt",
    "failures",
    "deaths",
    "error_code",
    "merged_into",
)
