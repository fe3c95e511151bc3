"""When → housekeeping. Business schedules are rows, not entries here."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from domain import files, idempotency, runs, timekeeping, webhooks


async def _forget_keys() -> None:
    await idempotency.prune(timekeeping.machine_now() - timedelta(hours=idempotency.KEPT_HOURS))


CRONTAB: list[tuple[timedelta, Callable[[], Awaitable[object]]]] = [
    (timedelta(hours=1), _forget_keys),
    (timedelta(hours=1), files.prune),
    (timedelta(minutes=10), runs.prune),
    (timedelta(minutes=10), webhooks.prune),
]
