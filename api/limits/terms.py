"""What this process lets a caller do: set by its environment, the same for all who come in."""

from dataclasses import dataclass

from api.limits.buckets import Buckets


@dataclass(frozen=True)
class Terms:
    """The settings that an operation is held to; without them nothing is rationed."""

    introspection: bool = True
    operation_seconds: float | None = None
    """How long a query, a mutation or one event of a stream may take, its statements included."""
    buckets: Buckets | None = None
    feed_days: float = 7
    """How long a cursor of the feed can be come back to."""


FREE = Terms()


def terms_of(context: object) -> Terms:
    """The terms in an operation's context."""
    found = getattr(context, "terms", FREE)
    assert isinstance(found, Terms)
    return found
