"""Spans of instants say the same as calendar arithmetic on each instant."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import timekeeping

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
NEAR = st.builds(
    timedelta, days=st.integers(-5, 5), seconds=st.integers(-86_400, 86_400), microseconds=st.integers(-1, 1)
)
MOMENTS = st.datetimes(datetime(2019, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))
MONTHS = st.sampled_from([1, 3, 6, 11, 12, 24, 120])


def _in_spans(moment: datetime, then: datetime, months: int, tz: ZoneInfo) -> bool:
    spans = timekeeping.anniversaries_passed(moment, months, tz)
    return any((span.start is None or span.start <= then) and then <= span.end for span in spans)


def _changes_clocks(moment: datetime, tz: ZoneInfo) -> bool:
    day = timekeeping.local_day(moment, tz)
    length = timekeeping.midnight(day + timedelta(days=1), tz) - timekeeping.midnight(day, tz)
    return length != timedelta(days=1)


@given(MOMENTS, MONTHS, NEAR)
def test_spans_are_exact_to_the_instant_where_clocks_do_not_change(
    moment: datetime, months: int, off: timedelta
) -> None:
    then = timekeeping.add_months(moment, -months, SHANGHAI) + off
    holds = timekeeping.add_months(then, months, SHANGHAI) <= moment
    assert _in_spans(moment, then, months, SHANGHAI) is holds


@given(MOMENTS, MONTHS, NEAR)
def test_spans_are_exact_elsewhere_but_on_the_days_when_clocks_change(
    moment: datetime, months: int, off: timedelta
) -> None:
    then = timekeeping.add_months(moment, -months, BERLIN) + off
    anniversary = timekeeping.add_months(then, months, BERLIN)
    if any(_changes_clocks(instant, BERLIN) for instant in (moment, then, anniversary)):
        return
    assert _in_spans(moment, then, months, BERLIN) is (anniversary <= moment)


@pytest.mark.parametrize("last_day", [28, 29, 30, 31])
def test_the_ends_of_august_come_together_at_the_end_of_february(last_day: int) -> None:
    then = datetime(2024, 8, last_day, 10, tzinfo=SHANGHAI)
    moment = datetime(2025, 2, 28, 10, tzinfo=SHANGHAI)
    assert _in_spans(moment, then, 6, SHANGHAI)
    assert not _in_spans(moment - timekeeping.TICK, then, 6, SHANGHAI)
