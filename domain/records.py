"""Rows that change only from the state the caller saw."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Self

import structlog
from tortoise import Model, fields

from domain import reading, timekeeping
from domain.errors import Conflict, NotFound

GIVE_UP_AFTER = 5
log = structlog.get_logger(__name__)


class Record(Model):
    """A row of one workspace with a version that each change raises by one."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    version = fields.IntField(default=1)

    class Meta:
        abstract = True

    @classmethod
    async def find(cls, workspace_id: int, record_id: int) -> Self | None:
        return await reading.one(cls.filter(workspace_id=workspace_id, id=record_id))

    @classmethod
    async def load(cls, workspace_id: int, record_id: int) -> Self:
        """The row, or `NotFound`; another workspace's row is not found either."""
        found = await cls.find(workspace_id, record_id)
        if found is None:
            raise NotFound(f"no such {cls.__name__.lower()}", field="id")
        return found

    @classmethod
    async def by_ids(cls, workspace_id: int, ids: list[int]) -> dict[int, Self]:
        found = await cls.filter(workspace_id=workspace_id, id__in=ids)
        return {row.id: row for row in found}

    async def change(self, given: Mapping[str, Any] | None = None, /, **values: Any) -> bool:
        """Write `values` if the row still has the version read, and `given`; say whether it did.

        The statement is the lock: of two callers that saw the same row, one changes it.
        """
        changed = (
            await type(self)
            .filter(workspace_id=self.workspace_id, id=self.id, version=self.version, **(given or {}))
            .update(version=self.version + 1, **values)
        )
        if not changed:
            return False
        self.version += 1
        for name, value in values.items():
            setattr(self, name, value)
        return True

    async def must_change(self, given: Mapping[str, Any] | None = None, /, **values: Any) -> None:
        """`change`, or `Conflict` with the row as it is now."""
        if not await self.change(given, **values):
            current = await type(self).find(self.workspace_id, self.id)
            raise Conflict(
                f"this {type(self).__name__.lower()} has changed since you read it", current=current
            )

    def expect(self, version: int | None) -> None:
        """Refuse with `Conflict` when the caller has seen another version than this."""
        if version is not None and version != self.version:
            raise Conflict(
                f"expected version {version}, it is {self.version}", field="expectedVersion", current=self
            )


async def put_off(kind: type[Record], workspace_id: int, record_id: int, error: BaseException) -> None:
    """A timer failed on this row: try it again later, ever more rarely, so that it holds up no other.

    Its kind has `attempts` and `retry_at`.
    """
    row: Any = await kind.get_or_none(workspace_id=workspace_id, id=record_id)
    if row is None:
        return
    attempts = row.attempts + 1
    wait = timedelta(days=3650) if attempts >= GIVE_UP_AFTER else timedelta(seconds=2**attempts)
    name = {kind._meta.db_table: record_id}
    log.error("timer_failed", **name, attempts=attempts, error=type(error).__name__, exc_info=error)
    await kind.filter(id=record_id, workspace_id=workspace_id).update(
        attempts=attempts, retry_at=timekeeping.machine_now() + wait
    )
