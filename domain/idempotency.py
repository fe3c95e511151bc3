"""The same key and the same input: the same result, once."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tortoise import Model, fields

from domain import db
from domain.access import Principal
from domain.db.fields import Document, Index, Instant, encode
from domain.errors import DomainError, ErrorCode, Invalid

KEPT_HOURS = 48


class KeyReused(DomainError):
    """The key was used before with another input; nothing was done."""

    code = ErrorCode.IDEMPOTENCY_MISMATCH


class IdempotencyKey(Model):
    """What one caller's key did: which mutation, on what input, with what result."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    caller = fields.CharField(max_length=64)
    key = fields.CharField(max_length=128)
    mutation = fields.CharField(max_length=64)
    input_hash = fields.CharField(max_length=64)
    result = Document(null=True)
    created_at = Instant()

    class Meta:
        table = "idempotency_keys"
        indexes = [
            Index(("workspace_id", "caller", "key"), "idempotency_keys_key", unique=True),
            Index(("created_at",), "idempotency_keys_age"),
        ]


def fingerprint(arguments: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode(dict(sorted(arguments.items()))).encode()).hexdigest()


async def begin(who: Principal, key: str, mutation: str, input_hash: str) -> Any:
    """Take the key in the running transaction; the earlier result where it was taken before.

    A second caller with the same key waits here until the first has committed. When the first is
    rolled back the key is free again.

    Raises:
        KeyReused: the key stands for another input.
    """
    if not 1 <= len(key) <= 128:
        raise Invalid("an idempotency key has 1 to 128 characters", field="idempotencyKey")
    taken = await db.rows(
        """INSERT INTO idempotency_keys
             (workspace_id, caller, key, mutation, input_hash, created_at)
           VALUES (:workspace, :caller, :key, :mutation, :hash, {now})
           ON CONFLICT (workspace_id, caller, key) DO NOTHING RETURNING id""",
        workspace=who.workspace_id,
        caller=who.label,
        key=key,
        mutation=mutation,
        hash=input_hash,
    )
    if taken:
        return None
    earlier = await IdempotencyKey.get(workspace_id=who.workspace_id, caller=who.label, key=key)
    if earlier.mutation != mutation or earlier.input_hash != input_hash:
        raise KeyReused(
            f"this idempotency key was used for {earlier.mutation} with another input", field="idempotencyKey"
        )
    return earlier.result


async def finish(who: Principal, key: str, result: Any) -> None:
    """Store the result beside its key, in the same transaction."""
    await IdempotencyKey.filter(workspace_id=who.workspace_id, caller=who.label, key=key).update(
        result=result
    )


async def prune(older_than: datetime) -> int:
    return await db.execute("DELETE FROM idempotency_keys WHERE created_at < :limit", limit=older_than)
