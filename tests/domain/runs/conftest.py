"""Kinds of run for the tests: one that counts, and whatever a test declares."""

from collections.abc import Callable
from typing import Any

import pytest

from domain import runs
from domain.runs import Kind, Run, Work

Declare = Callable[..., None]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Declare a kind of run for the time of the test."""

    def made(name: str, perform: Any = None, **behaviour: Any) -> None:
        async def nothing(work: Work) -> None:
            pass

        monkeypatch.setitem(runs.kinds, name, Kind(name, perform or nothing, **behaviour))

    return made


@pytest.fixture
def count(declare: Declare) -> list[int]:
    """The kind `count`: which attempts were done, by their run's attempt."""
    done: list[int] = []

    async def perform(work: Work) -> dict[str, int]:
        async with work.step(done=1, total=1):
            done.append(work.run.attempt)
        return {"done": 1}

    declare("count", perform)
    return done


async def again(run: Run) -> Run:
    """The run as it is stored now."""
    return await Run.get(id=run.id)
