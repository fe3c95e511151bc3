"""Stories are told on a stage whose clock stands at the beginning of the tale."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import pytest

from tests.conftest import NOON
from tests.stories.stage import Stage, staged

Open = Callable[[datetime], AbstractAsyncContextManager[Stage]]


@pytest.fixture
async def stage(database: str) -> AsyncIterator[Stage]:
    async with staged(database, NOON) as opened:
        yield opened


@pytest.fixture
def stage_at(database: str) -> Open:
    """`async with stage_at(instant) as stage:` for a story that begins at another time."""
    return lambda clock_at: staged(database, clock_at)
