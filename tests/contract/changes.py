"""Which changes of a schema break its clients without having been announced."""

import re
from datetime import date

from graphql import GraphQLSchema, build_schema
from graphql.utilities import BreakingChange, BreakingChangeType, find_breaking_changes

from api.deprecating import deprecated

REMOVED_AFTER = re.compile(r"removed after (\d{4}-\d{2}-\d{2})")
ANNOUNCEABLE = {
    BreakingChangeType.FIELD_REMOVED: re.compile(r"Field (\w+\.\w+) was removed"),
    BreakingChangeType.ARG_REMOVED: re.compile(r"Argument (\w+\.\w+\(\w+):\) was removed"),
    BreakingChangeType.VALUE_REMOVED_FROM_ENUM: re.compile(r"Enum value (\w+\.\w+) was removed"),
}


def breaches(released: str, now: str, today: date) -> list[str]:
    """Breaking changes that were not deprecated first, or whose announced day has not come."""
    before, after = build_schema(released), build_schema(now)
    return [
        change.description
        for change in find_breaking_changes(before, after)
        if not _announced(before, change, today)
    ]


def _announced(before: GraphQLSchema, change: BreakingChange, today: date) -> bool:
    reason = deprecated(before).get(_place(change) or "", "")
    found = REMOVED_AFTER.search(reason)
    return found is not None and date.fromisoformat(found[1]) < today


def _place(change: BreakingChange) -> str | None:
    """What was removed, as `deprecated` names it; nothing where a change cannot be announced."""
    pattern = ANNOUNCEABLE.get(change.type)
    found = pattern.search(change.description) if pattern else None
    if found is None:
        return None
    return f"{found[1]})" if "(" in found[1] else found[1]
