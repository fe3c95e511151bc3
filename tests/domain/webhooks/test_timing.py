"""A message is tried often at first, then less, for a day to the second, and never in step with others."""

from datetime import timedelta

from domain.webhooks.timing import GIVE_UP_AFTER, WAITS, next_try
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
