"""The instants that a cron expression names by the wall clock of a zone."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from domain import timekeeping
from domain.errors import Invalid

FIELDS = 5
LONGEST = 100
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Cron:
    """Five fields as in cron: minute, hour, day of the month (`L`: its last), month, day of the week.

    Where the clocks go forward, a time that is left out is its gap's end; where they go back, a time that
    comes twice counts once. Only with `*` for the hour every hour that passes has its turn.
    """

    expression: str

    @classmethod
    def of(cls, expression: str) -> "Cron":
        """The expression, checked.

        Raises:
            Invalid: it is no cron expression, or names no time that ever comes.
        """
        parts = expression.split()
        if len(parts) != FIELDS or len(expression) > LONGEST:
            raise Invalid("five fields: minute, hour, day of the month, month, day of the week", field="cron")
        made = cls(" ".join(parts))
        try:
            found = next(made.times(timekeeping.machine_now(), ZoneInfo("UTC")), None)
        except CronSimError as error:
            raise Invalid(f"{str(error).lower()} of the cron expression", field="cron") from None
        if found is None:
            raise Invalid("the cron expression names no time that ever comes", field="cron")
        return made

    def times(self, after: datetime, tz: ZoneInfo) -> Iterator[datetime]:
        """The instants after this one, each later than the one before it."""
        parts = self.expression.split()
        start = after.astimezone(tz)
        hourly = len(CronSim(self.expression, start).hours) == 24
        if hourly:  # with the zone it counts hours as they pass, without one it reads a wall calendar
            parts[1] = "*"
        last = after
        for wall in CronSim(" ".join(parts), start if hourly else start.replace(tzinfo=None)):
            instant = wall.astimezone(UTC) if hourly else _instant(wall, tz)
            if instant > last:
                last = instant
                yield instant


def _instant(wall: datetime, tz: ZoneInfo) -> datetime:
    """The first instant at which the wall clock shows this, or the first after the gap it fell into."""
    while True:
        instant = wall.replace(tzinfo=tz, fold=0).astimezone(UTC)
        if instant.astimezone(tz).replace(tzinfo=None) == wall:
            return instant
        wall += _MINUTE


@dataclass(frozen=True)
class Slot:
    """One time of a schedule: what the expression says, and when it is done, jitter included."""

    at: datetime
    fires_at: datetime


@dataclass(frozen=True)
class Timing:
    """When a schedule fires. The same schedule and time have the same jitter, whoever works it out."""

    cron: Cron
    tz: ZoneInfo
    jitter_seconds: int
    schedule_id: int

    def slots(self, after: datetime) -> Iterator[Slot]:
        """The slots whose time is after this one. Each fires before the time of the next."""
        times = self.cron.times(after, self.tz)
        at = next(times, None)
        while at is not None:
            following = next(times, None)
            yield Slot(at, at + self._jitter(at, following))
            at = following

    def next_slot(self, after: datetime) -> Slot | None:
        return next(self.slots(after), None)

    def first(self, count: int, after: datetime) -> list[Slot]:
        return list(islice(self.slots(after), count))

    def _jitter(self, at: datetime, following: datetime | None) -> timedelta:
        most = self.jitter_seconds
        if following is not None:
            most = min(most, (following - at) // _SECOND - 1)
        digest = hashlib.sha256(f"{self.schedule_id}:{at.isoformat()}".encode()).digest()
        return timedelta(seconds=int.from_bytes(digest[:8]) % (most + 1))
