"""Takes in a file piece by piece; until it is finished nobody can read it."""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain import db, journal, timekeeping
from domain.access import Principal
from domain.errors import Invalid
from domain.files.models import File
from domain.journal import Entry

CHUNK = 256 * 1024
"""Bytes in each stored piece but the last, so that an offset tells its piece."""

UNFINISHED_KEPT = timedelta(days=1)
PRUNED_AT_ONCE = 100

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;[\w\s.+=\"-]*)?", re.ASCII)
_PURPOSE = re.compile(r"[a-z][a-z_]{0,31}")


@dataclass
class Upload:
    """A file on its way in."""

    who: Principal
    file: File
    limit: int | None
    expires_at: datetime | None
    size: int = 0
    chunks: int = 0
    rest: bytearray = field(default_factory=bytearray)
    digest: Any = field(default_factory=hashlib.sha256)


async def begin(
    who: Principal,
    name: str,
    media_type: str,
    purpose: str,
    *,
    limit: int | None = None,
    expires_at: datetime | None = None,
) -> Upload:
    """Start a file of at most `limit` bytes.

    One that is never finished is removed after a day. With `expires_at` (machine time) the finished
    file is gone from then on.
    """
    if not 1 <= len(name) <= 255 or _CONTROL.search(name):
        raise Invalid("a file name has 1 to 255 characters, none of them a control character", field="name")
    if len(media_type) > 120 or not _MEDIA_TYPE.fullmatch(media_type):
        raise Invalid("this is not a media type such as text/csv", field="mediaType")
    if not _PURPOSE.fullmatch(purpose):
        raise Invalid("a purpose is one lower-case word", field="purpose")
    now = timekeeping.machine_now()
    file = await File.create(
        workspace_id=who.workspace_id,
        name=name,
        media_type=media_type,
        purpose=purpose,
        actor=who.label,
        created_at=now,
        expires_at=now + UNFINISHED_KEPT,
    )
    return Upload(who, file, limit, expires_at)


async def append(upload: Upload, data: bytes) -> None:
    """Add bytes. One byte over the limit, and the whole upload is removed and refused."""
    upload.size += len(data)
    if upload.limit is not None and upload.size > upload.limit:
        await discard(upload)
        raise Invalid(f"the file is larger than {upload.limit} bytes", field="file")
    upload.digest.update(data)
    upload.rest += data
    while len(upload.rest) >= CHUNK:
        await _store(upload, bytes(upload.rest[:CHUNK]))
        del upload.rest[:CHUNK]


async def _store(upload: Upload, data: bytes) -> None:
    await db.insert_many(
        "file_chunks",
        [
            {
                "workspace_id": upload.file.workspace_id,
                "file_id": upload.file.id,
                "number": upload.chunks,
                "data": data,
            }
        ],
    )
    upload.chunks += 1


async def finish(upload: Upload) -> File:
    """Make the file readable, with its size and SHA-256."""
    async with db.transaction():
        if upload.rest:
            await _store(upload, bytes(upload.rest))
            upload.rest.clear()
        await upload.file.must_change(
            {"complete": False},
            complete=True,
            size=upload.size,
            sha256=upload.digest.hexdigest(),
            expires_at=upload.expires_at,
        )
        await journal.write(
            upload.who,
            Entry("file.stored", upload.file.id, data={"purpose": upload.file.purpose, "size": upload.size}),
        )
    return upload.file


async def discard(upload: Upload) -> None:
    """Remove an upload that will not be finished; a finished file stays."""
    async with db.transaction():
        file = await File.get_or_none(
            workspace_id=upload.file.workspace_id, id=upload.file.id, complete=False
        )
        if file is not None:
            await _remove(file)


async def save(
    who: Principal,
    name: str,
    media_type: str,
    purpose: str,
    data: bytes,
    *,
    expires_at: datetime | None = None,
) -> File:
    """Store a whole file at once, in the transaction of whatever produced it."""
    async with db.transaction():
        upload = await begin(who, name, media_type, purpose, expires_at=expires_at)
        await append(upload, data)
        return await finish(upload)


async def prune() -> int:
    """Remove some files that have expired, and uploads given up on; how many."""
    gone = (
        await File.filter(expires_at__lte=timekeeping.machine_now())
        .order_by("expires_at")
        .limit(PRUNED_AT_ONCE)
    )
    for file in gone:
        async with db.transaction():
            await _remove(file)
    return len(gone)


async def _remove(file: File) -> None:
    for table, column in (("file_chunks", "file_id"), ("files", "id")):
        await db.execute(
            f"DELETE FROM {table} WHERE workspace_id = :workspace AND {column} = :file",
            workspace=file.workspace_id,
            file=file.id,
        )
