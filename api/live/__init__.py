"""Live updates that never miss one: each subscriber has its own place in the feed of its workspace.

Whoever asks the same with the same rights is told together: an event is made and encoded once for all of
them. Who comes with a cursor, or is too slow for that, is fed from the journal until it has caught up.
"""

from api.live.following import followed, lines, news, once, streams
from api.live.hub import Hub
from api.live.objects import TYPES, object_id
from api.live.places import beginning, cursor, cursor_at, position
from domain.feeds import TOPICS

__all__ = [
    "TOPICS",
    "TYPES",
    "Hub",
    "beginning",
    "cursor",
    "cursor_at",
    "followed",
    "lines",
    "news",
    "object_id",
    "once",
    "position",
    "streams",
]
