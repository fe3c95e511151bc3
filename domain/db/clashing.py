"""Does an action again that the database undid because of another one at the same moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.db.failures import failure_of
from domain.db.sql import in_transaction, is_unique_violation

T = TypeVar("T")
TRIES = 3


async def again_after_a_clash(action: Callable[[], Awaitable[T]]) -> T:
    """Do an action that is one transaction, a few times where it meets others.

    Of two that clash one is undone wholly, so it may be done again. A row that is there already is a
    clash too: the one who looked for it a moment before did not see it, and now finds it. Inside
    another transaction it is done once, since all of that is undone.
    """
    tries = TRIES if not in_transaction() else 1
    while True:
        try:
            return await action()
        except Exception as error:
            tries -= 1
            failure = failure_of(error)
            undone = is_unique_violation(error) or (failure is not None and failure.undone)
            if not undone or not tries:
                raise
