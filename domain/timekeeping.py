"""What time it is, and what the calendar makes of it; nothing else asks for either.

Business time (due, SLA, lifecycle, schedules) belongs to a workspace and can be turned in a sandbox.
Machine time (leases, back-off, tokens) is never turned; statements take it from the database as `{now}`.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain import db
from domain.errors import Invalid

TICK = timedelta(microseconds=1)
"""The finest step of an instant. "Within 24 hours" includes its last instant (C-18), so a deadline is
missed one tick after it."""

_living: set[int] = set()
"""Workspaces known to run on the real clock; whether one is a sandbox is fixed when it is created."""


def machine_now() -> datetime:
    """The time that the database goes by, in UTC."""
    return db.machine_now()


async def now(workspace_id: int) -> datetime:
    """Business time in a workspace: the virtual clock of a sandbox, the real one elsewhere."""
    if workspace_id in _living:
        return machine_now()
    row = await db.one("SELECT sandbox, clock_at FROM workspaces WHERE id = :id", id=workspace_id)
    if row is None:
        raise LookupError(f"there is no workspace {workspace_id}, or it is not this task's to see")
    if not row["sandbox"]:
        _living.add(workspace_id)
        return machine_now()
    return db.instant_of(row["clock_at"])


def forget() -> None:
    """Forget which workspaces live on the real clock (another database was opened)."""
    _living.clear()


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the database, as `Asia`
        raise Invalid(f"{name!r} is not a time zone of the IANA database", field="zone") from None


def add_months(moment: datetime, months: int, tz: ZoneInfo) -> datetime:
    """The same local wall time so many calendar months later, clamped to the month's last day."""
    local = moment.astimezone(tz)
    return datetime.combine(add_months_on(local.date(), months), local.timetz()).astimezone(UTC)


def add_months_on(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def earliest_day_within(day: date, months: int) -> date:
    """The first day whose anniversary, so many months later, is `day` or after.

    With clamping, 30 November plus three months is 28 February: on that day it is still within.
    """
    first = add_months_on(day, -months) - timedelta(days=4)
    while add_months_on(first, months) < day:
        first += timedelta(days=1)
    return first


@dataclass(frozen=True)
class Span:
    """Instants from `start` (none: any time before) up to and including `end`."""

    start: datetime | None
    end: datetime


def anniversaries_passed(moment: datetime, months: int, tz: ZoneInfo) -> list[Span]:
    """The instants whose anniversary, so many calendar months later, has come by `moment`.

    Month-end clamping sends several days to one (28 to 31 August, plus six months, are all
    28 February), so the answer is a span of whole days and then one span for each such day, up to
    the time of day of `moment`.
    """
    local = moment.astimezone(tz)
    first = earliest_day_within(local.date(), months)
    spans = [Span(None, _midnight(first, tz) - TICK)]
    day = first
    while add_months_on(day, months) == local.date():
        last = datetime.combine(day, local.time(), tz).astimezone(UTC)
        spans.append(Span(_midnight(day, tz), last))
        day += timedelta(days=1)
    return spans


def _midnight(day: date, tz: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tz).astimezone(UTC)


def midnight(day: date, tz: ZoneInfo) -> datetime:
    """The instant at which a local day begins."""
    return _midnight(day, tz)


def local_day(moment: datetime, tz: ZoneInfo) -> date:
    return moment.astimezone(tz).date()


@dataclass(frozen=True)
class Period:
    """A calendar month, quarter or year in a workspace's zone: first day and the first day after."""

    first: date
    after: date

    @property
    def key(self) -> str:
        return f"{self.first:%Y-%m-%d}"

    def bounds(self, tz: ZoneInfo) -> tuple[datetime, datetime]:
        return _midnight(self.first, tz), _midnight(self.after, tz)

    @property
    def days(self) -> int:
        return (self.after - self.first).days


def period_of(day: date, months: int) -> Period:
    """The calendar period of so many months (1, 3 or 12) that holds a day."""
    first = date(day.year, (day.month - 1) // months * months + 1, 1)
    return Period(first, add_months_on(first, months))
