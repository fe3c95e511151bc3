"""What a process has in hand: never more than its threads, unless what it does is over in a moment."""

from dataclasses import dataclass
from typing import Any

import pytest

from jobs import hands as module
from jobs.hands import AHEAD, LONG_SECONDS, Hands

TIMERS, OTHERS = ("timers",), ("default", "recompute", "reports")


@dataclass
class Waiting:
    """As much of a run as hands look at."""

    id: int
    queue: str = "default"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def brief(hands: Hands) -> Hands:
    for _ in range(50):
        hands.take("default")
        hands.release("default", 0.001)
    return hands


def fill(hands: Hands, number: int) -> None:
    for each in range(number):
        run: Any = Waiting(each)
        hands.put(run)


def test_at_first_there_is_room_for_as_many_as_there_are_threads() -> None:
    assert Hands(8).room() == [(TIMERS, 2), (OTHERS, 6)]


def test_long_work_leaves_the_room_of_timers_alone() -> None:
    hands = Hands(8)
    fill(hands, 6)
    assert hands.room() == [(TIMERS, 2)]
    assert hands.free() == ["timers"]


def test_while_runs_are_brief_more_are_taken_ahead_but_none_begins_without_a_thread() -> None:
    hands = brief(Hands(8))
    assert hands.room() == [(TIMERS, 2), (OTHERS, 6 + 6 * AHEAD)]
    fill(hands, 6)
    assert hands.room() == [(TIMERS, 2), (OTHERS, 6 * AHEAD)]
    assert hands.free() == ["timers"]


def test_what_is_taken_ahead_is_taken_by_the_handful() -> None:
    hands = brief(Hands(8))
    fill(hands, 16)
    assert hands.room() == [(TIMERS, 2)], "14 free of 30: a moment later there are more"
    hands.release("default", 0.001)
    assert hands.room() == [(TIMERS, 2), (OTHERS, 15)]


def test_one_long_run_ends_the_taking_ahead() -> None:
    hands = brief(Hands(8))
    hands.take("default")
    hands.release("default", 10)
    assert hands.room() == [(TIMERS, 2), (OTHERS, 6)]


def test_timers_are_never_taken_ahead_nor_say_how_long_others_take() -> None:
    hands = Hands(8)
    for _ in range(50):
        hands.take("timers")
        hands.release("timers", 0.001)
    assert hands.room() == [(TIMERS, 2), (OTHERS, 6)]


def test_what_waits_behind_something_long_is_handed_out_again_once(clock: list[float]) -> None:
    hands = brief(Hands(8))
    fill(hands, 20)
    begun = [hands.pick(number) for number in range(6)]
    assert all(begun)
    clock[0] += LONG_SECONDS / 2
    assert hands.overdue() == []
    clock[0] += LONG_SECONDS
    assert [run.id for run in hands.overdue()] == list(range(6, 20))
    assert hands.overdue() == []
    assert hands.pick(7) is None, "its doorbell rings in vain"
    assert hands.room() == [(TIMERS, 2)], "the six that were begun go on"
    for _ in begun:
        hands.release("default")
    assert hands.room() == [(TIMERS, 2), (OTHERS, 6)]


def test_the_clock_is_told_when_there_is_room_again() -> None:
    hands, told = Hands(2), []
    hands.freed = lambda: told.append(hands.room())
    fill(hands, 1)
    hands.release("default")
    assert told == [[(TIMERS, 1), (OTHERS, 1)]]
