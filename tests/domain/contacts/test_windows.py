"""Receive windows: the next opening is the earliest, whatever the clocks of the zone do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.contacts.windows import DAY, Window, is_open, next_opening, parse
from domain.errors import Invalid

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"]
MINUTE = timedelta(minutes=1)


def opening(zone: ZoneInfo, at: datetime, *pairs: tuple[str, str]) -> datetime:
    return next_opening(parse(pairs), at, zone).astimezone(zone)


def test_an_opening_is_inside_and_a_closing_is_outside() -> None:
    nine, noon = datetime(2025, 3, 3, 9, tzinfo=SHANGHAI), datetime(2025, 3, 3, 12, tzinfo=SHANGHAI)
    assert opening(SHANGHAI, nine, ("09:00", "12:00")) == nine
    assert opening(SHANGHAI, nine - timedelta(microseconds=1), ("09:00", "12:00")) == nine
    last = noon - timedelta(microseconds=1)
    assert opening(SHANGHAI, last, ("09:00", "12:00")) == last
    assert opening(SHANGHAI, noon, ("09:00", "12:00")) == nine + timedelta(days=1)


def test_the_nearest_of_several_windows_opens() -> None:
    at = datetime(2025, 3, 3, 12, 30, tzinfo=SHANGHAI)
    found = opening(SHANGHAI, at, ("18:00", "20:00"), ("09:00", "12:00"))
    assert found == datetime(2025, 3, 3, 18, tzinfo=SHANGHAI)


def test_a_window_may_last_until_midnight() -> None:
    at = datetime(2025, 3, 3, 23, 59, 59, tzinfo=SHANGHAI)
    assert opening(SHANGHAI, at, ("20:00", "24:00")) == at


def test_no_windows_means_any_time() -> None:
    at = datetime(2025, 3, 3, 3, tzinfo=SHANGHAI)
    assert opening(SHANGHAI, at) == at


def test_a_window_that_begins_in_the_hour_left_out_opens_after_it() -> None:
    # On 30 March 2025 clocks in Berlin go from 02:00 to 03:00, which is 01:00 UTC.
    at = datetime(2025, 3, 29, 20, tzinfo=BERLIN)
    found = next_opening(parse([("02:30", "03:30")]), at, BERLIN)
    assert found == datetime(2025, 3, 30, 1, tzinfo=UTC)


def test_a_window_wholly_in_the_hour_left_out_opens_a_day_later() -> None:
    at = datetime(2025, 3, 29, 20, tzinfo=BERLIN)
    found = next_opening(parse([("02:00", "03:00")]), at, BERLIN)
    assert found == datetime(2025, 3, 31, 0, tzinfo=UTC)


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    # On 26 October 2025 clocks in Berlin go from 03:00 back to 02:00, which is 01:00 UTC.
    windows = parse([("02:15", "02:45")])
    first = next_opening(windows, datetime(2025, 10, 25, 20, tzinfo=UTC), BERLIN)
    assert first == datetime(2025, 10, 26, 0, 15, tzinfo=UTC)
    again = next_opening(windows, datetime(2025, 10, 26, 0, 45, tzinfo=UTC), BERLIN)
    assert again == datetime(2025, 10, 26, 1, 15, tzinfo=UTC)


@st.composite
def some_windows(draw: st.DrawFn) -> list[Window]:
    bounds = sorted(draw(st.sets(st.integers(0, DAY), min_size=2, max_size=12)))
    return [Window(start, end) for start, end in zip(bounds[::2], bounds[1::2], strict=False)]


@st.composite
def some_instant(draw: st.DrawFn) -> datetime:
    """Any minute of 2025, or a minute of the days around Berlin's and the other zones' clock changes."""
    first = draw(
        st.sampled_from(
            [
                datetime(2025, 1, 1),
                datetime(2025, 3, 29),
                datetime(2025, 10, 25),
                datetime(2025, 3, 8),
                datetime(2025, 11, 1),
                datetime(2025, 4, 5),
                datetime(2025, 10, 4),
                datetime(2011, 12, 29),
            ]
        )
    )
    span = 365 * DAY if first.month == 1 else 3 * DAY
    return (first + draw(st.integers(0, span)) * MINUTE).replace(tzinfo=UTC)


@settings(max_examples=400, deadline=None)
@given(windows=some_windows(), at=some_instant(), zone=st.sampled_from(ZONES))
@example([Window(120, 180)], datetime(2025, 3, 29, 20, tzinfo=UTC), "Europe/Berlin")
@example([Window(0, 1)], datetime(2011, 12, 30, 9, 59, tzinfo=UTC), "Pacific/Apia")
def test_the_opening_is_inside_not_earlier_than_asked_and_the_first(
    windows: list[Window], at: datetime, zone: str
) -> None:
    tz = ZoneInfo(zone)
    found = next_opening(windows, at, tz)
    assert found >= at
    assert is_open(windows, found, tz)
    earlier = at
    while earlier < found:
        assert not is_open(windows, earlier, tz), earlier
        earlier += MINUTE


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("9:00", "12:00")], "'9:00' is not a time of day such as 09:00"),
        ([("09:00", "25:00")], "'25:00' is not a time of day such as 09:00"),
        ([("09:60", "12:00")], "'09:60' is not a time of day such as 09:00"),
        ([("09:00", "09:00")], "the window 09:00-09:00 must end later in the day than it starts"),
        ([("22:00", "02:00")], "the window 22:00-02:00 must end later in the day than it starts"),
        ([("09:00", "12:00"), ("11:59", "13:00")], "the windows 09:00-12:00 and 11:59-13:00 overlap"),
        ([(f"{n:02}:00", f"{n:02}:30") for n in range(7)], "at most 6 windows, got 7"),
    ],
)
def test_windows_that_make_no_sense_are_refused(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(pairs)
    assert str(refused.value) == message
    assert refused.value.problems[0].field == ("input", "windows")


def test_windows_that_touch_do_not_overlap() -> None:
    assert parse([("12:00", "14:00"), ("09:00", "12:00")]) == [Window(540, 720), Window(720, 840)]
