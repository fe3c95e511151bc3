"""When a message that did not arrive is tried again: fast at first, for a day, each time a little apart."""

import random
from datetime import datetime, timedelta

GIVE_UP_AFTER = timedelta(hours=24)
WAITS = (
    *(timedelta(seconds=seconds) for seconds in (5, 30)),
    *(timedelta(minutes=minutes) for minutes in (2, 10, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 4, 4, 4, 4, 4)),
)
JITTER = 0.2


def next_try(now: datetime, first_at: datetime, tries: int) -> datetime | None:
    """When a message is tried again after so many failures; none when its day is over.

    The last try is at the end of the day, not before.
    """
    end = first_at + GIVE_UP_AFTER
    if now >= end:
        return None
    wait = WAITS[min(tries, len(WAITS)) - 1] * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311
    return min(now + wait, end)
