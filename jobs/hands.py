"""What this process has in hand, and how much more it can take: some of it is kept free for timers."""

import time
from collections.abc import Callable, Collection

from domain.runs import QUEUES, Run, RunQueue

TIMERS = (RunQueue.TIMERS.value,)
AHEAD = 4
"""While runs are brief, so many more for each thread are taken ahead: one statement serves them all."""
BRIEF_SECONDS = 0.05
LONG_SECONDS = 1.0
"""How long a run that was taken ahead waits for a thread before another process may have it."""
_REMEMBERED = 8


class Hands:
    """Counts the runs of this process against its threads.

    Timers have a share of their own, so that long work never holds up what is due.
    """

    def __init__(self, threads: int, queues: Collection[str] = QUEUES) -> None:
        for_timers = max(1, threads // 4)
        self._threads = {True: for_timers, False: max(1, threads - for_timers)}
        self._taken = {True: 0, False: 0}
        self.queues = tuple(queue for queue in QUEUES if queue in queues)
        self._pulled: dict[int, tuple[Run, float]] = {}
        self._lasted = LONG_SECONDS
        """How long runs took lately."""
        self.freed: Callable[[], None] = lambda: None
        """Called when there is room again."""

    def room(self) -> list[tuple[tuple[str, ...], int]]:
        """Queues, and how many of their runs can be taken now: begun at once, or almost."""
        ahead = self._threads[False] * AHEAD if self._lasted < BRIEF_SECONDS else 0
        found = self._free({True: 0, False: ahead})
        # Few at a time would cost a statement each; and what is in hand will be done in a moment.
        return [
            (queues, room)
            for queues, room in found
            if queues == TIMERS or room * 2 >= self._threads[False] + ahead or not ahead
        ]

    def free(self) -> list[str]:
        """The queues of which a run could begin right now."""
        return [queue for queues, _ in self._free({True: 0, False: 0}) for queue in queues]

    def _free(self, ahead: dict[bool, int]) -> list[tuple[tuple[str, ...], int]]:
        timers = tuple(queue for queue in self.queues if queue in TIMERS)
        others = tuple(queue for queue in self.queues if queue not in TIMERS)
        return [
            (queues, room)
            for urgent, queues in ((True, timers), (False, others))
            if queues and (room := self._threads[urgent] + ahead[urgent] - self._taken[urgent]) > 0
        ]

    def put(self, run: Run) -> None:
        """A run that was claimed for this process and waits for a thread."""
        self.take(run.queue)
        self._pulled[run.id] = (run, time.monotonic())

    def pick(self, run_id: int) -> Run | None:
        """The run of that number, if it waits here; once."""
        found = self._pulled.pop(run_id, None)
        return found[0] if found else None

    def waiting(self) -> list[Run]:
        return [run for run, _ in self._pulled.values()]

    def overdue(self) -> list[Run]:
        """The runs that wait for a thread too long, which are no longer in these hands."""
        until = time.monotonic() - LONG_SECONDS
        found = [run for run, since in self._pulled.values() if since < until]
        for run in found:
            del self._pulled[run.id]
            self.release(run.queue, LONG_SECONDS)
        return found

    def take(self, queue: str) -> None:
        self._taken[queue in TIMERS] += 1

    def lasted(self, queue: str, seconds: float) -> None:
        """Learn from how long the code of a run took."""
        if queue not in TIMERS:
            self._lasted += (seconds - self._lasted) / _REMEMBERED

    def release(self, queue: str, seconds: float | None = None) -> None:
        self._taken[queue in TIMERS] -= 1
        if seconds is not None:
            self.lasted(queue, seconds)
        self.freed()
