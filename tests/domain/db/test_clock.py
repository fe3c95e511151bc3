"""A process goes by its database's clock, whatever its machine's says."""

from datetime import UTC, datetime, timedelta

import pytest

from domain import db, timekeeping
from domain.db import clock

WRONG = timedelta(minutes=10)
NEAR = timedelta(seconds=2)


@pytest.mark.parametrize("ahead", [WRONG, -WRONG])
async def test_a_machine_whose_clock_is_wrong_tells_the_time_of_postgresql(
    database: str, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    real = clock._wall
    monkeypatch.setattr(clock, "_wall", lambda: real() + ahead)
    async with db.keeping_time():
        off = timekeeping.machine_now() - real()
        expected = timedelta(0) if db.is_postgres() else ahead  # a file has no clock of its own
        assert abs(off - expected) < NEAR
    assert abs(timekeeping.machine_now() - real() - ahead) < NEAR


def test_it_counts_on_from_a_reading_and_takes_another_where_that_teaches_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at, ticks = datetime(2026, 3, 1, 12, tzinfo=UTC), 100.0
    monkeypatch.setattr(clock, "_anchor", None)
    monkeypatch.setattr(clock, "_differs", False)
    monkeypatch.setattr(clock, "_ticks", lambda: ticks)
    clock._set(at, 100.0, 100.2)
    ticks = 160.1
    assert clock.machine_now() == at + timedelta(seconds=60)
    clock._set(at + timedelta(seconds=60.3), 159.6, 160.6)  # as exact as it is, it may be right
    assert clock.machine_now() == at + timedelta(seconds=60)
    clock._set(at + timedelta(seconds=90), 155.1, 165.1)  # it took too long to say anything
    assert clock.machine_now() == at + timedelta(seconds=60)
    clock._set(at + timedelta(seconds=61), 160.0, 160.2)
    assert clock.machine_now() == at + timedelta(seconds=61)
