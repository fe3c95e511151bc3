"""When a customer is at risk and when no longer, by the figures of the documents and around them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alerts import (
    AlertLevel,
    AlertReasonCode,
    Compared,
    Facts,
    Reason,
    Streak,
    judge,
    level_of,
    streak,
)

TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)
WINDOW = timedelta(hours=72)
CONTACTS = [TEN, TEN + timedelta(days=4), TEN + timedelta(days=8)]
BLINK = timedelta(microseconds=1)


def codes(reasons: list[Reason]) -> list[str]:
    return [reason.code.value for reason in reasons]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (TEN, Streak(0, TEN + WINDOW)),
        (TEN + WINDOW - BLINK, Streak(0, TEN + WINDOW)),
        (TEN + WINDOW, Streak(1, None)),
    ],
)
def test_a_contact_counts_at_the_very_end_of_its_72_hours(now: datetime, expected: Streak) -> None:
    assert streak([TEN], now) == expected


def test_three_contacts_days_apart_are_three_once_the_last_has_waited() -> None:
    assert streak(CONTACTS, CONTACTS[2] + WINDOW - BLINK) == Streak(2, CONTACTS[2] + WINDOW)
    assert streak(CONTACTS, CONTACTS[2] + WINDOW) == Streak(3, None)


def test_of_contacts_within_72_hours_only_the_first_counts() -> None:
    often = [TEN + timedelta(hours=hours) for hours in (0, 24, 71, 72, 100, 143, 144)]
    assert streak(often, TEN + timedelta(days=30)) == Streak(3, None)


@given(
    hours=st.lists(st.integers(0, 2000), max_size=30).map(sorted),
    asked=st.integers(0, 2200),
)
def test_the_count_is_that_of_a_walk_hour_by_hour(hours: list[int], asked: int) -> None:
    """An oracle that steps through time: a contact opens a wait where none is open, each wait that ends counts."""
    waits_until, count = None, 0
    for hour in range(asked + 1):
        if waits_until is not None and hour >= waits_until:
            count, waits_until = count + 1, None
        if waits_until is None and hour in hours:
            waits_until = hour + 72
    contacts = [TEN + timedelta(hours=hour) for hour in hours if hour <= asked]
    expected = Streak(count, None if waits_until is None else TEN + timedelta(hours=waits_until))
    assert streak(contacts, TEN + timedelta(hours=asked)) == expected


@pytest.mark.parametrize(
    ("value", "before", "expected"),
    [
        (6, 12, ["ACTIVITY_DOWN"]),
        (7, 12, []),
        (0, 0, []),
        (5, 0, []),
        (0, 1, ["ACTIVITY_DOWN"]),
        (1, 1, []),
        (2, 5, ["ACTIVITY_DOWN"]),
        (3, 5, []),
    ],
)
def test_activity_is_down_at_a_half_exactly_and_not_from_nothing(
    value: int, before: int, expected: list[str]
) -> None:
    """A-14: 6 of 12 is 50.0 % down, 7 of 12 is 41.7 %."""
    assert codes(judge(Facts(activity=Compared(value, before)), [], TEN, {})) == expected


@pytest.mark.parametrize(
    ("value", "before", "down"), [(2, 4, True), (3, 4, True), (4, 4, False), (0, 0, False)]
)
def test_orders_are_down_by_any_decrease(value: int, before: int, down: bool) -> None:
    assert codes(judge(Facts(orders=Compared(value, before)), [], TEN, {})) == ["ORDERS_DOWN"] * down


def test_a_reason_keeps_its_since_and_stands_where_both_periods_are_empty_by_now() -> None:
    first = judge(Facts(activity=Compared(0, 9)), [], TEN, {})
    later = TEN + timedelta(days=30)
    (still,) = judge(Facts(activity=Compared(0, 0)), first, later, {})
    assert (still.since, still.value, still.before) == (TEN, 0, 0)
    assert judge(Facts(activity=Compared(1, 0)), first, later, {}) == []


def test_what_a_person_closed_comes_up_again_after_a_whole_period_only() -> None:
    facts, muted = Facts(activity=Compared(1, 9)), {AlertReasonCode.ACTIVITY_DOWN: TEN}
    assert judge(facts, [], TEN + timedelta(days=30) - BLINK, muted) == []
    assert codes(judge(facts, [], TEN + timedelta(days=30), muted)) == ["ACTIVITY_DOWN"]


def test_the_level_is_that_of_the_most_urgent_reason_and_never_falls() -> None:
    reasons = judge(Facts(Streak(3), Compared(1, 2), Compared(1, 2)), [], TEN, {})
    assert codes(reasons) == ["UNANSWERED", "ACTIVITY_DOWN", "ORDERS_DOWN"]
    assert [level_of(reasons[n:]) for n in range(3)] == [AlertLevel.RED, AlertLevel.YELLOW, AlertLevel.BLUE]
    assert level_of(reasons[2:], least=AlertLevel.YELLOW) is AlertLevel.YELLOW
