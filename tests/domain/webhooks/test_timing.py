"""A message is tried often at first, then less, for a day to the second, and never in step with others."""

from datetime import UTC, timedelta
from email.utils import format_datetime

import pytest

from domain import timekeeping
from domain.webhooks.timing import GIVE_UP_AFTER, WAITS, asked_wait, next_try
from tests.conftest import NOON


def test_tries_grow_apart_and_the_last_is_at_the_end_of_the_day() -> None:
    for _ in range(200):
        now, tries, at = NOON, 0, []
        while True:
            tries += 1
            following = next_try(now, NOON, tries)
            if following is None:
                break
            assert following > now
            at.append(following)
            now = following
        assert at[-1] == NOON + GIVE_UP_AFTER == NOON + timedelta(hours=24)
        assert 11 <= len(at) <= 14
        for found, wait in zip(at, WAITS[:3], strict=False):
            assert found < NOON + 3 * wait + timedelta(minutes=3)


def test_tries_are_spread() -> None:
    assert len({next_try(NOON, NOON, 6) for _ in range(50)}) > 40
    first = [next_try(NOON, NOON, 1) for _ in range(200)]
    assert all(each and timedelta(seconds=4) <= each - NOON <= timedelta(seconds=6) for each in first)


def test_when_the_day_is_over_there_is_no_other_try() -> None:
    assert next_try(NOON + GIVE_UP_AFTER, NOON, 3) is None
    assert next_try(NOON + GIVE_UP_AFTER - timedelta(seconds=1), NOON, 3) == NOON + GIVE_UP_AFTER
    assert next_try(NOON, NOON, 1000) is not None


def test_a_receiver_that_asks_for_a_pause_gets_it_within_the_day() -> None:
    pause = timedelta(hours=7)
    assert next_try(NOON, NOON, 1, pause) == NOON + pause
    assert next_try(NOON, NOON, 1, GIVE_UP_AFTER * 2) == NOON + GIVE_UP_AFTER
    late = next_try(NOON, NOON, 6, timedelta(seconds=1))
    assert late is not None and late > NOON + timedelta(minutes=40), "it does not hurry us"


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("9" * 5000, 86_400),
        ("86401", 86_400),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ],
)
def test_a_pause_is_asked_for_in_seconds_or_by_an_instant(said: str, seconds: int) -> None:
    assert asked_wait(said) == timedelta(seconds=seconds)


def test_an_instant_is_one_of_the_wall_clock() -> None:
    at = timekeeping.machine_now().astimezone(UTC) + timedelta(minutes=10)
    wait = asked_wait(format_datetime(at, usegmt=True))
    assert wait is not None and timedelta(minutes=9) < wait <= timedelta(minutes=10)


@pytest.mark.parametrize(
    "said", ["", "soon", "-1", "1.5", "\u0661\u0662", "Sun, 99 Nov 1994 08:49:37 GMT", "1e9"]
)
def test_what_asks_for_no_pause_is_passed_over(said: str) -> None:
    assert asked_wait(said) is None
