"""When a schedule's times come: by the wall clock, over both changes of the clocks, and with its jitter."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.runs.cron import Cron, Timing

BERLIN, NEW_YORK, SHANGHAI = (ZoneInfo(n) for n in ("Europe/Berlin", "America/New_York", "Asia/Shanghai"))
SECOND = timedelta(seconds=1)
APIA, LORD_HOWE, HAVANA = (ZoneInfo(n) for n in ("Pacific/Apia", "Australia/Lord_Howe", "America/Havana"))


def times(expression: str, after: str, tz: ZoneInfo, count: int) -> list[str]:
    """The next times after a wall time, as wall times with their offset from UTC."""
    found = Cron.of(expression).times(datetime.fromisoformat(after).replace(tzinfo=tz), tz)
    return [f"{at.astimezone(tz):%m-%d %H:%M %z}" for at in islice(found, count)]


def test_a_time_that_the_clocks_leave_out_is_the_first_instant_after() -> None:
    assert times("30 2 * * *", "2025-03-29 12:00", BERLIN, 2) == ["03-30 03:00 +0200", "03-31 02:30 +0200"]
    assert times("0 2 * * *", "2025-03-08 12:00", NEW_YORK, 2) == ["03-09 03:00 -0400", "03-10 02:00 -0400"]
    # By half an hour, and by a whole day.
    assert times("15 2 * * *", "2025-10-04 12:00", LORD_HOWE, 1) == ["10-05 02:30 +1100"]
    assert times("0 9 30 12 *", "2011-12-01 00:00", APIA, 1) == ["12-31 00:00 +1400"]
    # Where the day itself begins in the gap.
    assert times("0 0 * * *", "2025-03-08 12:00", HAVANA, 1) == ["03-09 01:00 -0400"]


def test_times_that_fall_into_one_gap_are_one() -> None:
    assert times("*/15 2 * * *", "2025-03-29 12:00", BERLIN, 2) == ["03-30 03:00 +0200", "03-31 02:00 +0200"]
    assert times("0 2,3 * * *", "2025-03-08 12:00", NEW_YORK, 2) == [
        "03-09 03:00 -0400",
        "03-10 02:00 -0400",
    ]


def test_a_time_that_comes_twice_counts_once() -> None:
    assert times("30 2 * * *", "2025-10-25 12:00", BERLIN, 2) == ["10-26 02:30 +0200", "10-27 02:30 +0100"]
    assert times("30 1 * * *", "2025-11-01 12:00", NEW_YORK, 2) == ["11-02 01:30 -0400", "11-03 01:30 -0500"]
    assert times("*/30 1 * * *", "2025-11-01 12:00", NEW_YORK, 3) == [
        "11-02 01:00 -0400",
        "11-02 01:30 -0400",
        "11-03 01:00 -0500",
    ]


def test_asked_within_the_second_hour_a_time_of_the_first_is_over() -> None:
    second = datetime(2025, 10, 26, 2, 10, tzinfo=BERLIN, fold=1)
    found = next(Cron.of("30 2 * * *").times(second, BERLIN))
    assert found.astimezone(BERLIN).isoformat() == "2025-10-27T02:30:00+01:00"


@pytest.mark.parametrize("hours", ["*", "0-23", "*/1"])
def test_with_every_hour_each_hour_that_passes_has_its_turn(hours: str) -> None:
    assert times(f"30 {hours} * * *", "2025-03-30 00:45", BERLIN, 3) == [
        "03-30 01:30 +0100",
        "03-30 03:30 +0200",
        "03-30 04:30 +0200",
    ]
    assert times(f"30 {hours} * * *", "2025-10-26 01:45", BERLIN, 3) == [
        "10-26 02:30 +0200",
        "10-26 02:30 +0100",
        "10-26 03:30 +0100",
    ]


def test_a_month_ends_on_its_last_day() -> None:
    assert times("0 18 L * *", "2025-01-31 18:00", SHANGHAI, 3) == [
        "02-28 18:00 +0800",
        "03-31 18:00 +0800",
        "04-30 18:00 +0800",
    ]
    assert times("0 18 L 2 *", "2027-03-01 00:00", SHANGHAI, 1) == ["02-29 18:00 +0800"]
    assert times("0 18 L 3,6,9,12 *", "2025-03-31 18:00", NEW_YORK, 4) == [
        "06-30 18:00 -0400",
        "09-30 18:00 -0400",
        "12-31 18:00 -0500",
        "03-31 18:00 -0400",
    ]


def within_year(cron: Cron, begin: datetime, end: datetime, tz: ZoneInfo) -> list[datetime]:
    return list(takewhile(lambda at: at < end, cron.times(begin - SECOND, tz)))


def test_f17_every_calendar_has_its_daily_slot_once_a_day_and_its_hourly_slot_each_real_hour() -> None:
    """The line F17 of the faults: gap and overlap, half an hour of them, a zone without either."""
    for tz in (BERLIN, NEW_YORK, LORD_HOWE, HAVANA, SHANGHAI):
        begin, end = (datetime(year, 1, 1, tzinfo=tz).astimezone(UTC) for year in (2025, 2026))
        for wall in ("45 1", "15 2", "0 0"):
            daily = within_year(Cron.of(f"{wall} * * *"), begin, end, tz)
            days = [at.astimezone(tz).date() for at in daily]
            assert len(days) == len(set(days)) == 365, (tz, wall)
        hourly = within_year(Cron.of("0 * * * *"), begin, end, tz)
        apart = {(later - at).total_seconds() / 3600 for at, later in pairwise(hourly)}
        assert apart <= ({1.0} if tz is not LORD_HOWE else {0.5, 1.0, 1.5}), (tz, apart)
    assert times("15 2 * * *", "2025-10-04 12:00", LORD_HOWE, 2) == ["10-05 02:30 +1100", "10-06 02:15 +1100"]
    assert times("45 1 * * *", "2025-04-05 12:00", LORD_HOWE, 2) == ["04-06 01:45 +1100", "04-07 01:45 +1030"]


def test_f17_a_day_that_a_month_or_a_year_lacks_has_no_slot_there() -> None:
    assert times("0 9 29 2 *", "2025-01-01 00:00", SHANGHAI, 2) == ["02-29 09:00 +0800", "02-29 09:00 +0800"]
    found = islice(Cron.of("0 9 31 * *").times(datetime(2025, 1, 1, tzinfo=UTC), BERLIN), 7)
    assert [at.astimezone(BERLIN).month for at in found] == [1, 3, 5, 7, 8, 10, 12]


@pytest.mark.parametrize(
    "wrong",
    [
        "", "* * * *", "0 0 * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
        "a * * * *", "5-1 * * * *", "*/0 * * * *", "@daily", "0 0 30 2 *", "0 0 31 4,6 *", "٣ * * * *",
        "0 0 * * 1#6", "0 0 * * L", "1,,2 * * * *", "- * * * *", "/ * * * *", "# # # # #", "0 " * 60,
    ],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused(wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        Cron.of(wrong)
    assert refused.value.problems[0].field == ("cron",)


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789*,-/L#WSUNMOJA ", max_size=30))
def test_whatever_is_written_is_taken_or_refused(written: str) -> None:
    try:
        made = Cron.of(written)
    except Invalid:
        return
    assert next(made.times(datetime(2025, 1, 1, tzinfo=UTC), BERLIN)) > datetime(2025, 1, 1, tzinfo=UTC)


FIELD = st.sampled_from
EXPRESSIONS = st.builds(
    "{} {} {} * {}".format,
    FIELD(["0", "30", "*/20", "1,59"]),
    FIELD(["*", "0", "1", "2", "3", "*/2", "1-3"]),
    FIELD(["*", "L", "1-31/3"]),
    FIELD(["*", "0", "1-5"]),
)


@settings(max_examples=40, deadline=None)
@given(
    EXPRESSIONS,
    FIELD([BERLIN, NEW_YORK, SHANGHAI, LORD_HOWE, HAVANA]),
    st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1)),
)
def test_a_wall_clock_that_is_looked_at_each_minute_says_the_same(
    expression: str, tz: ZoneInfo, begin: datetime
) -> None:
    """Three days by a plain reading: a wall time fires at its first showing, a left out one right after."""
    start = begin.replace(second=0, microsecond=0, tzinfo=UTC)
    end = start + timedelta(days=3)
    cron = Cron.of(expression)
    found = list(takewhile(lambda at: at <= end, cron.times(start, tz)))
    hourly = expression.split()[1] == "*"
    around = timedelta(days=2)
    named = takewhile(lambda at: at <= end + around, cron.times(start - around, ZoneInfo("UTC")))
    walls_here = {at.replace(tzinfo=None) for at in named}
    seen: set[datetime] = set()
    expected = []
    minute = start - timedelta(days=1)
    previous = (minute - timedelta(minutes=1)).astimezone(tz).replace(tzinfo=None)
    while minute <= end:
        wall = minute.astimezone(tz).replace(tzinfo=None)
        left_out = previous + timedelta(minutes=1)
        owed = False
        while not hourly and left_out < wall:  # the clocks went forward
            owed = owed or left_out in walls_here
            left_out += timedelta(minutes=1)
        if owed or (wall in walls_here and (hourly or wall not in seen)):
            expected.append(minute)
        seen.add(wall)
        previous, minute = wall, minute + timedelta(minutes=1)
    assert found == [at for at in expected if at > start]


@pytest.mark.parametrize("most", [0, 1, 90, 86_400])
def test_jitter_is_the_same_for_everybody_and_never_reaches_the_next_time(most: int) -> None:
    begin = datetime(2025, 3, 3, tzinfo=UTC)
    one, same, other = (Timing(Cron.of("*/5 * * * *"), BERLIN, most, number) for number in (7, 7, 8))
    slots = one.first(300, begin)
    assert slots == same.first(300, begin)
    waits = [(slot.fires_at - slot.at).total_seconds() for slot in slots]
    assert min(waits) >= 0
    assert max(waits) <= min(most, 299)
    assert all(slot.fires_at < following.at for slot, following in pairwise(slots))
    if most > 1:
        assert len(set(waits)) > 30, "it spreads"
        assert slots != other.first(300, begin), "each schedule has its own"
