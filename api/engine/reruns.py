"""Keeps failing reads from costing twice for ever: whoever has many goes to graphql-core at once."""

import time
from typing import Any

from api.engine.cache import Recent

BURST, PER_SECOND = 30.0, 1.0
CALLERS = 10_000


class Reruns:
    """How many reads of each caller had to be run again lately: a bucket that leaks."""

    def __init__(self) -> None:
        self._levels: Recent[Any, tuple[float, float]] = Recent(CALLERS)

    def allowed(self, principal: Any) -> bool:
        """Whether a read of this caller may still be tried on the compiled path."""
        return self._level(principal) < BURST

    def count(self, principal: Any) -> None:
        self._levels.put(_name(principal), (self._level(principal) + 1, time.monotonic()))

    def forget(self) -> None:
        self._levels = Recent(CALLERS)

    def _level(self, principal: Any) -> float:
        level, at = self._levels.get(_name(principal)) or (0.0, 0.0)
        return max(0.0, level - PER_SECOND * (time.monotonic() - at))


def _name(principal: Any) -> Any:
    if principal is None:
        return None
    return principal.workspace_id, principal.kind, principal.id
