"""Calendar arithmetic in a workspace's zone: months, anniversaries, periods, and the two clocks."""

import calendar
import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain import timekeeping, workspaces
from domain.errors import Invalid
from domain.timekeeping import TICK, Period
from tests.conftest import NOON, House

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Clocks change by half an hour there."""
ZONES = st.sampled_from([SHANGHAI, BERLIN, LORD_HOWE, ZoneInfo("America/St_Johns"), ZoneInfo("UTC")])
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))
DAYS = st.dates(date(1990, 1, 1), date(2060, 1, 1))
MONTHS = st.sampled_from([1, 2, 3, 6, 11, 12, 13, 24, 120])


# --- months ---


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        ("2025-01-31", 1, "2025-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2025-08-31", 6, "2026-02-28"),
        ("2025-03-31", -1, "2025-02-28"),
        ("2025-01-15", -1, "2024-12-15"),
        ("2025-12-31", 1, "2026-01-31"),
        ("2025-05-31", 0, "2025-05-31"),
        ("2100-01-31", 1, "2100-02-28"),
    ],
)
def test_months_end_where_the_month_ends(day: str, months: int, then: str) -> None:
    assert timekeeping.add_months_on(date.fromisoformat(day), months) == date.fromisoformat(then)


@given(DAYS, st.integers(-240, 240))
def test_a_month_later_is_the_same_day_or_the_month_s_last(day: date, months: int) -> None:
    then = timekeeping.add_months_on(day, months)
    last = calendar.monthrange(then.year, then.month)[1]
    assert then.year * 12 + then.month == day.year * 12 + day.month + months
    assert then.day == min(day.day, last)


@given(DAYS, DAYS, st.integers(0, 120))
def test_an_earlier_day_never_has_a_later_anniversary(one: date, other: date, months: int) -> None:
    first, second = sorted([one, other])
    assert timekeeping.add_months_on(first, months) <= timekeeping.add_months_on(second, months)


@given(MOMENTS, MONTHS, ZONES)
def test_an_anniversary_is_at_the_same_time_of_the_local_day(
    moment: datetime, months: int, tz: ZoneInfo
) -> None:
    then = timekeeping.add_months(moment, months, tz)
    here, there = moment.astimezone(tz), then.astimezone(tz)
    wanted = timekeeping.add_months_on(here.date(), months)
    assert then.tzinfo is UTC
    skipped = datetime.combine(wanted, here.timetz()).astimezone(UTC).astimezone(tz).time() != here.time()
    if skipped:  # the clocks pass over that time of day: within the hour
        assert abs(there.replace(tzinfo=None) - datetime.combine(wanted, here.time())) <= timedelta(hours=1)
    else:
        assert (there.date(), there.time()) == (wanted, here.time())


def test_an_anniversary_keeps_its_wall_time_over_a_change_of_clocks() -> None:
    winter = datetime(2025, 1, 15, 9, tzinfo=BERLIN)
    assert winter.astimezone(UTC).hour == 8
    assert timekeeping.add_months(winter, 6, BERLIN) == datetime(2025, 7, 15, 7, tzinfo=UTC)


@given(DAYS, MONTHS)
def test_the_earliest_day_within_is_the_first_one(day: date, months: int) -> None:
    first = timekeeping.earliest_day_within(day, months)
    assert timekeeping.add_months_on(first, months) >= day
    assert timekeeping.add_months_on(first - timedelta(days=1), months) < day


# --- anniversaries as spans ---


def _in_spans(moment: datetime, then: datetime, months: int, tz: ZoneInfo) -> bool:
    spans = timekeeping.anniversaries_passed(moment, months, tz)
    return any((span.start is None or span.start <= then) and then <= span.end for span in spans)


def _wall(instant: datetime, tz: ZoneInfo) -> datetime:
    return instant.astimezone(tz).replace(tzinfo=None)


def _has_come(moment: datetime, then: datetime, months: int, tz: ZoneInfo) -> bool:
    """The definition, one instant at a time: the anniversary's wall time has come on the local clock."""
    wall = _wall(then, tz)
    anniversary = datetime.combine(timekeeping.add_months_on(wall.date(), months), wall.time())
    return anniversary <= _wall(moment, tz)


def _changes_clocks(instant: datetime, tz: ZoneInfo) -> bool:
    day = timekeeping.local_day(instant, tz)
    length = timekeeping.midnight(day + timedelta(days=1), tz) - timekeeping.midnight(day, tz)
    return length != timedelta(days=1)


NEAR = st.one_of(
    st.builds(timedelta, days=st.integers(-5, 5), microseconds=st.integers(-2, 2)),
    st.builds(timedelta, days=st.integers(-4, 4), seconds=st.integers(-90_000, 90_000)),
    st.builds(timedelta, days=st.integers(-400, 400), seconds=st.integers(-90_000, 90_000)),
)


@given(MOMENTS, MONTHS, NEAR, ZONES)
@example(datetime(2025, 2, 28, 2, tzinfo=UTC), 6, timedelta(days=3), SHANGHAI)
@example(datetime(2024, 2, 29, 2, tzinfo=UTC), 12, timedelta(days=-1), SHANGHAI)
def test_spans_hold_exactly_the_instants_whose_anniversary_has_come(
    moment: datetime, months: int, off: timedelta, tz: ZoneInfo
) -> None:
    then = timekeeping.add_months(moment, -months, tz) + off
    anniversary = timekeeping.add_months(then, months, tz)
    if any(_changes_clocks(instant, tz) for instant in (moment, then, anniversary)):
        # A time of day that comes twice, or not at all, on one of these days: exact to the hour.
        wall = _wall(moment, tz)
        local = _wall(then, tz)
        due = datetime.combine(timekeeping.add_months_on(local.date(), months), local.time())
        if abs(due - wall) <= timedelta(hours=1):
            return
    assert _in_spans(moment, then, months, tz) is _has_come(moment, then, months, tz)
    assert _in_spans(moment, then, months, tz) is (anniversary <= moment)


@given(MOMENTS, MONTHS, ZONES)
def test_spans_are_in_order_and_do_not_overlap(moment: datetime, months: int, tz: ZoneInfo) -> None:
    spans = timekeeping.anniversaries_passed(moment, months, tz)
    assert spans[0].start is None
    for before, after in itertools.pairwise(spans):
        assert after.start is not None
        assert before.end < after.start <= after.end
    assert len(spans) <= 5


@given(MOMENTS, MONTHS, ZONES)
def test_an_anniversary_holds_from_its_own_instant(moment: datetime, months: int, tz: ZoneInfo) -> None:
    then = timekeeping.add_months(moment, -months, tz)
    anniversary = timekeeping.add_months(then, months, tz)
    if any(_changes_clocks(instant, tz) for instant in (then, anniversary)):
        return
    assert _in_spans(anniversary, then, months, tz)
    assert not _in_spans(anniversary - TICK, then, months, tz)


# --- periods and days ---


@given(DAYS, st.sampled_from([1, 3, 12]))
def test_a_period_holds_its_day_and_begins_where_the_last_one_ended(day: date, months: int) -> None:
    period = timekeeping.period_of(day, months)
    assert period.first <= day < period.after
    assert (period.first.day, period.after.day) == (1, 1)
    assert (period.first.month - 1) % months == 0
    assert period.after == timekeeping.add_months_on(period.first, months)
    assert timekeeping.period_of(period.first, months) == period
    assert timekeeping.period_of(period.after, months).first == period.after
    assert timekeeping.period_of(period.first - timedelta(days=1), months).after == period.first
    assert period.days == (period.after - period.first).days


def test_periods_by_name() -> None:
    day = date(2025, 5, 31)
    assert timekeeping.period_of(day, 1) == Period(date(2025, 5, 1), date(2025, 6, 1))
    assert timekeeping.period_of(day, 3) == Period(date(2025, 4, 1), date(2025, 7, 1))
    assert timekeeping.period_of(day, 12) == Period(date(2025, 1, 1), date(2026, 1, 1))
    assert timekeeping.period_of(date(2025, 12, 31), 1).after == date(2026, 1, 1)
    assert timekeeping.period_of(day, 3).key == "2025-04-01"


def test_the_bounds_of_a_period_are_local_midnights() -> None:
    march = timekeeping.period_of(date(2025, 3, 3), 1)
    assert march.bounds(SHANGHAI) == (
        datetime(2025, 2, 28, 16, tzinfo=UTC),
        datetime(2025, 3, 31, 16, tzinfo=UTC),
    )
    start, end = march.bounds(BERLIN)
    assert end - start == timedelta(days=31) - timedelta(hours=1)


@given(MOMENTS, ZONES)
def test_an_instant_is_within_its_local_day(moment: datetime, tz: ZoneInfo) -> None:
    day = timekeeping.local_day(moment, tz)
    assert timekeeping.midnight(day, tz) <= moment < timekeeping.midnight(day + timedelta(days=1), tz)
    assert timekeeping.midnight(day, tz).astimezone(tz).time() == time()


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "Asia", "a\0b"])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        timekeeping.zone(name)
    assert refused.value.problems[0].field == ("zone",)


# --- the two clocks ---


async def test_a_sandbox_has_its_own_time_and_others_the_machine_s(house: House) -> None:
    real = await workspaces.create("Real")
    for _ in range(2):
        assert await timekeeping.now(house.id) == NOON
        before = timekeeping.machine_now()
        assert before <= await timekeeping.now(real.id) <= timekeeping.machine_now()
    await house.turn(NOON + timedelta(days=40))
    assert await timekeeping.now(house.id) == NOON + timedelta(days=40)
    assert timekeeping.machine_now().tzinfo is UTC
