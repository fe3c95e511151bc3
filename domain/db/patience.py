"""How long whoever asks may wait: one time for all the statements of a request together."""

import time
from contextvars import ContextVar

ANSWER_SECONDS = 4.0
"""Within so long a client is answered, or hears that the database cannot serve it just now."""
_end: ContextVar[float | None] = ContextVar("end", default=None)


def answer_within(seconds: float = ANSWER_SECONDS) -> None:
    """Give the rest of this task, and the tasks it starts, so long for all that it asks of PostgreSQL.

    What is not answered by then fails as `Unavailable`. Asked again, the time begins anew. SQLite has no
    wire to fall silent; there each wait has its own limit.
    """
    _end.set(time.monotonic() + seconds)


def remaining(most: float | None = None) -> float | None:
    """The seconds that are left, and not more than `most`; none where there is no end. May be negative."""
    end = _end.get()
    if end is None:
        return most
    left = end - time.monotonic()
    return left if most is None else min(left, most)
