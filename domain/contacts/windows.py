"""The hours of day in which a customer welcomes contact, and the next instant that falls into them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from domain.errors import Invalid

MOST = 6
DAY = 24 * 60
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


@dataclass(frozen=True, order=True)
class Window:
    """Minutes of the local day: `start` is inside, `end` is not. 1440 is the midnight that ends the day."""

    start: int
    end: int

    def __str__(self) -> str:
        return f"{spelt(self.start)}-{spelt(self.end)}"


def spelt(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def minute_of(text: str) -> int:
    """The minute of the day that "HH:MM" names; "24:00" is the end of the day."""
    if not _CLOCK.fullmatch(text):
        raise Invalid(f"{text!r} is not a time of day such as 09:00", field="input.windows")
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def parse(pairs: Sequence[tuple[str, str]]) -> list[Window]:
    """Windows in the order of the day.

    Raises:
        Invalid: one is empty, runs past midnight or overlaps another, or there are more than six.
    """
    if len(pairs) > MOST:
        raise Invalid(f"at most {MOST} windows, got {len(pairs)}", field="input.windows")
    windows = sorted(Window(minute_of(start), minute_of(end)) for start, end in pairs)
    for window in windows:
        if window.start >= window.end:
            raise Invalid(
                f"the window {window} must end later in the day than it starts", field="input.windows"
            )
    for earlier, later in pairwise(windows):
        if later.start < earlier.end:
            raise Invalid(f"the windows {earlier} and {later} overlap", field="input.windows")
    return windows


def is_open(windows: Sequence[Window], at: datetime, tz: ZoneInfo) -> bool:
    """Whether the wall clock shows a time inside a window. No windows: any time."""
    local = at.astimezone(tz)
    minute = local.hour * 60 + local.minute
    return not windows or any(window.start <= minute < window.end for window in windows)


def next_opening(windows: Sequence[Window], at: datetime, tz: ZoneInfo) -> datetime:
    """The earliest instant from `at` on at which a window is open.

    The wall clock may be put forward or back on the way: the search stops there and looks again, so a
    window that begins in the hour that is left out opens with the first minute after it.
    """
    moment = at.astimezone(UTC)
    while not is_open(windows, moment, tz):
        moment = _clock_change(moment, moment + _until_start(windows, moment, tz), tz)
    return moment


def _until_start(windows: Sequence[Window], moment: datetime, tz: ZoneInfo) -> timedelta:
    """What the wall clock has to run until a window starts, today or tomorrow."""
    wall = moment.astimezone(tz).replace(tzinfo=None)
    midnight = datetime.combine(wall.date(), time())
    starts = [midnight + timedelta(minutes=window.start) for window in windows]
    return min((start if start > wall else start + timedelta(days=1)) - wall for start in starts)


def _clock_change(start: datetime, end: datetime, tz: ZoneInfo) -> datetime:
    """The first whole second up to `end` at which the zone's offset is another than at `start`, or `end`.

    Takes the span to hold one change at most; zones change months apart.
    """
    offset = start.astimezone(tz).utcoffset()
    if end.astimezone(tz).utcoffset() == offset:
        return end
    before, after = int(start.timestamp()), int(end.timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, tz).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)
