"""What one answer may come to while it is made: so many objects, and until its time is over."""

import time
from contextvars import ContextVar

from graphql import GraphQLError

from api.limits.bounds import Bounds, limited


class Exceeded(GraphQLError):
    """LIMITED: the operation went over what it may take while it ran, and was ended."""

    def __init__(self, what: str, limit: str, maximum: float, measured: float) -> None:
        error = limited(what, limit, maximum, measured)
        super().__init__(error.message, extensions=error.extensions)


class OutOfTime(Exceeded):
    """It took too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__("The seconds of the operation", "seconds", seconds, seconds)


class TooManyObjects(Exceeded):
    """Its answer would have been too large."""

    def __init__(self, maximum: int, measured: int) -> None:
        super().__init__("The objects of the answer", "objects", maximum, measured)


class Allowance:
    """Counts the objects of one answer before each is completed.

    That is also where the time is looked at: work that waits for nothing cannot be cancelled.
    """

    __slots__ = ("_most", "_seconds", "_until", "made", "over")

    def __init__(self, most: int = Bounds.objects, seconds: float | None = None) -> None:
        self.made = 0
        self.over: Exceeded | None = None
        """What it was ended for."""
        self._most = most
        self._seconds = seconds
        self._until = float("inf") if seconds is None else time.monotonic() + seconds

    def take(self, objects: int = 1) -> None:
        """Count objects that are about to be completed.

        Raises:
            Exceeded: there are too many of them, or the time is over.
        """
        self.look_ahead(objects)
        self.made += objects
        if time.monotonic() > self._until:
            assert self._seconds is not None
            self.over = OutOfTime(self._seconds)
            raise self.over

    def look_ahead(self, objects: int) -> None:
        """See whether there may be so many more, before they are even gathered.

        Raises:
            Exceeded: there may not.
        """
        if self.made + objects > self._most:
            self.over = TooManyObjects(self._most, self.made + objects)
            raise self.over


current: ContextVar[Allowance | None] = ContextVar("allowance", default=None)
"""That of the operation which graphql-core is to execute."""
