"""Which visits a tier is promised, and which of them are opened when."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.segments import RfmTier
from domain.tasks.cadence import Known, Quota, QuotaState, dedupe_key, plan, planned_on
from domain.tasks.care import Cadence, Care
from domain.timekeeping import period_of

GOLD = Care().gold


def test_the_cadences_are_those_of_the_documents() -> None:
    care = Care()
    assert care.gold == Cadence(3, 1, True)  # S4-27
    assert care.silver == Cadence(2, 3, False)  # S4-28
    assert care.bronze == Cadence(1, 12, False)  # S4-29


@pytest.mark.parametrize(
    ("done", "day", "remaining", "state"),
    [
        (1, date(2025, 3, 25), 2, QuotaState.BEHIND),
        (2, date(2025, 3, 25), 1, QuotaState.ON_TRACK),
        (3, date(2025, 3, 25), 0, QuotaState.DONE),
        (0, date(2025, 3, 1), 3, QuotaState.ON_TRACK),
        (4, date(2025, 3, 31), 0, QuotaState.DONE),
    ],
)
def test_a_quota_is_behind_when_fewer_are_done_than_should_be_by_now(
    done: int, day: date, remaining: int, state: QuotaState
) -> None:
    quota = Quota(RfmTier.GOLD, period_of(day, 1), 3, done, day)
    assert (quota.remaining, quota.state) == (remaining, state)


@given(
    customer_id=st.integers(1, 10**9),
    tier=st.sampled_from(RfmTier),
    today=st.dates(date(2024, 1, 1), date(2028, 12, 31)),
    done=st.integers(0, 4),
    horizon=st.integers(0, 400),
)
def test_planned_visits_lie_in_the_period_and_fill_the_quota(
    customer_id: int, tier: RfmTier, today: date, done: int, horizon: int
) -> None:
    cadence = Care().cadence(tier)
    made = plan(customer_id, tier, cadence, today, done, [], horizon)
    assert len(made.open) <= max(0, cadence.visits - done)
    if horizon == 400:
        assert len(made.open) == max(0, cadence.visits - done)
    for _, day in made.open:
        assert made.period.first <= day < made.period.after
        assert today <= day <= today + timedelta(days=horizon)
    assert made.cancel == []


@given(customer_id=st.integers(1, 10**9), slot=st.integers(1, 3))
def test_at_the_start_of_a_period_each_visit_has_its_own_slice(customer_id: int, slot: int) -> None:
    march = period_of(date(2025, 3, 1), 1)
    day = planned_on(customer_id, march, slot, 3, date(2025, 3, 1))
    assert (slot - 1) * 31 / 3 - 1 <= (day - march.first).days <= slot * 31 / 3


def known(
    customer_id: int, tier: RfmTier, slot: int, *, is_open: bool, day: date = date(2025, 3, 5)
) -> Known:
    months = Care().cadence(tier).months
    key = dedupe_key(customer_id, tier, period_of(day, months), slot)
    return Known(task_id=slot * 10, key=key, open=is_open, planned=day)


def test_planning_again_opens_nothing_twice() -> None:
    today = date(2025, 3, 5)
    first = plan(1, RfmTier.GOLD, GOLD, today, 0, [], 40)
    assert [slot for slot, _ in first.open] == [1, 2, 3]
    standing = [known(1, RfmTier.GOLD, slot, is_open=True) for slot in (1, 2, 3)]
    again = plan(1, RfmTier.GOLD, GOLD, today, 0, standing, 40)
    assert (again.open, again.cancel) == ([], [])


def test_a_visit_without_answer_is_opened_again_in_another_slot() -> None:
    standing = [
        known(1, RfmTier.GOLD, 1, is_open=False),
        known(1, RfmTier.GOLD, 2, is_open=True),
        known(1, RfmTier.GOLD, 3, is_open=True),
    ]
    made = plan(1, RfmTier.GOLD, GOLD, date(2025, 3, 5), 0, standing, 40)
    assert [slot for slot, _ in made.open] == [4]


def test_a_change_of_tier_cancels_the_old_visits_and_counts_the_done_ones() -> None:
    today = date(2025, 3, 5)
    standing = [known(1, RfmTier.SILVER, 1, is_open=True), known(1, RfmTier.SILVER, 2, is_open=False)]
    made = plan(1, RfmTier.GOLD, GOLD, today, 1, standing, 40)
    assert made.cancel == [10]
    assert len(made.open) == 2  # three promised, one done under the tier before (S4-30)


def test_a_visit_of_a_period_past_is_cancelled() -> None:
    standing = [known(1, RfmTier.GOLD, 1, is_open=True, day=date(2025, 2, 27))]
    made = plan(1, RfmTier.GOLD, GOLD, date(2025, 3, 1), 0, standing, 40)
    assert made.cancel == [10]
    assert len(made.open) == 3
