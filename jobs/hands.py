"""What this process has in hand, and how much more it can take: some of it is kept free for timers."""

from collections.abc import Callable, Collection

from domain.runs import QUEUES, Run, RunQueue

TIMERS = (RunQueue.TIMERS.value,)


class Hands:
    """Counts the runs of this process against its threads.

    Timers have a share of their own, so that long work never holds up what is due.
    """

    def __init__(self, threads: int, queues: Collection[str] = QUEUES) -> None:
        for_timers = max(1, threads // 4)
        self._free = {True: for_timers, False: max(1, threads - for_timers)}
        self.queues = tuple(queue for queue in QUEUES if queue in queues)
        self._pulled: dict[int, Run] = {}
        self.freed: Callable[[], None] = lambda: None
        """Called when there is room again."""

    def room(self) -> list[tuple[tuple[str, ...], int]]:
        """Queues, and how many of their runs can be taken now."""
        timers = tuple(queue for queue in self.queues if queue in TIMERS)
        others = tuple(queue for queue in self.queues if queue not in TIMERS)
        return [
            (queues, self._free[urgent])
            for urgent, queues in ((True, timers), (False, others))
            if queues and self._free[urgent] > 0
        ]

    def put(self, run: Run) -> None:
        """A run that was claimed for this process and waits for a thread."""
        self.take(run.queue)
        self._pulled[run.id] = run

    def pick(self, run_id: int) -> Run | None:
        """The run of that number, if it waits here; once."""
        return self._pulled.pop(run_id, None)

    def waiting(self) -> list[Run]:
        return list(self._pulled.values())

    def take(self, queue: str) -> None:
        self._free[queue in TIMERS] -= 1

    def release(self, queue: str) -> None:
        self._free[queue in TIMERS] += 1
        self.freed()
