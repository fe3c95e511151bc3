"""The entries of a customer's story, and the objects that they speak of."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import strawberry

from api.context import Info, who
from api.nodes import Node, kinds, row_type
from domain import customers

Named = tuple[str, int]
OTHERWISE = {"event": "BehaviourEvent"}
"""Types that are not called as the journal calls their objects."""


@row_type(customers.TimelineEntry, description="One entry of a customer's story.")
class TimelineEntry:
    at: datetime = strawberry.field(
        description="When it happened, in business time; for an imported order, when it was placed."
    )
    recorded_at: datetime = strawberry.field(description="When it was written down.")

    @strawberry.field(
        description="What happened, such as `order.delivered`; `order.placed` is an imported order."
    )
    def event(self: Any) -> str:
        return str(self.name)

    @strawberry.field(
        description="Who or what did it: a `user:3`, `api_key:5` or `run:7`, by number; or the part of "
        "Careline that did it by itself, such as `timer` or `reaction`."
    )
    def actor(self: Any) -> str:
        return str(self.actor)

    @strawberry.field(
        description="The object it speaks of, as it is now: an order, a task, a lead. Null where that has no "
        "id of its own, or is not for the caller to see."
    )
    async def subject(self: Any, info: Info) -> Node | None:
        name = OTHERWISE.get(self.subject) or self.subject.title().replace("_", "")
        if name not in kinds:
            return None

        async def fetch(_: int, keys: list[Named]) -> Mapping[Named, Any]:
            return await _subjects(info, keys)

        found = await info.context.loaders.load(fetch, (name, self.subject_id), "timeline subjects")
        return cast(Node | None, found)


async def _subjects(info: Info, keys: list[Named]) -> Mapping[Named, Any]:
    """Objects of several types as the caller may see them: one statement per type."""
    ids: dict[str, list[int]] = defaultdict(list)
    for name, row_id in keys:
        ids[name].append(row_id)
    found: dict[Named, Any] = {}
    for name, wanted in ids.items():
        rows = await kinds[name].visible(who(info), wanted)
        found |= {(name, row_id): row for row_id, row in rows.items()}
    return found
