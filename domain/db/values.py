"""Reads what a driver returns: SQLite gives text where PostgreSQL gives typed values."""

import json
from datetime import UTC, date, datetime
from typing import Any


def instant_of(raw: Any) -> datetime:
    """An instant in UTC from a column of either database."""
    if isinstance(raw, str):
        raw = datetime.fromisoformat(raw)
    if not isinstance(raw, datetime):
        raise ValueError(f"{raw!r} is not an instant")
    return raw.astimezone(UTC) if raw.tzinfo else raw.replace(tzinfo=UTC)


def day_of(raw: Any) -> date:
    """A calendar day from a column of either database."""
    return date.fromisoformat(raw[:10]) if isinstance(raw, str) else raw


def document_of(raw: Any) -> Any:
    """A JSON column's value; both drivers return it as text."""
    return json.loads(raw) if isinstance(raw, str | bytes) else raw
