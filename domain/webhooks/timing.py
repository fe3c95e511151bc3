"""When a message that did not arrive is tried again: fast at first, for a day, each time a little apart."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from domain import timekeeping

GIVE_UP_AFTER = timedelta(hours=24)
WAITS = (
    *(timedelta(seconds=seconds) for seconds in (5, 30)),
    *(timedelta(minutes=minutes) for minutes in (2, 10, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 4, 4, 4, 4, 4)),
)
JITTER = 0.2


def next_try(
    now: datetime, first_at: datetime, tries: int, not_before: timedelta = timedelta(0)
) -> datetime | None:
    """When a message is tried again after so many failures; none when its day is over.

    The last try is at the end of the day, not before, however long the receiver asks us to wait.
    """
    end = first_at + GIVE_UP_AFTER
    if now >= end:
        return None
    wait = WAITS[min(tries, len(WAITS)) - 1] * (1 + random.uniform(-JITTER, JITTER))  # noqa: S311
    return min(now + max(wait, not_before), end)


def asked_wait(retry_after: str) -> timedelta | None:
    """What `Retry-After` asks for, in seconds or as an instant, a day at most; none where it says nothing.

    An instant is by the wall's clock, whatever time it is in a sandbox.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), GIVE_UP_AFTER.total_seconds()))
    try:
        at = parsedate_to_datetime(text)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - timekeeping.machine_now()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), GIVE_UP_AFTER)
