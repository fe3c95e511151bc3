"""Asks for a file and reads it at bounded memory."""

from collections.abc import AsyncIterator

from domain import db, timekeeping
from domain.access import Principal
from domain.errors import NotFound
from domain.files.actions import CHUNK
from domain.files.models import File


async def get(who: Principal, file_id: int) -> File:
    """A whole file of the caller's workspace; unfinished and expired ones are not found."""
    file = await File.get_or_none(workspace_id=who.workspace_id, id=file_id, complete=True)
    if file is None or (file.expires_at is not None and file.expires_at <= timekeeping.machine_now()):
        raise NotFound("no such file", field="fileId")
    return file


async def read(file: File, offset: int = 0) -> AsyncIterator[bytes]:
    """The bytes from `offset` on, one stored piece at a time."""
    assert file.complete, "an unfinished file is never read"
    number, skip = divmod(offset, CHUNK)
    while number * CHUNK < file.size:
        data = await db.value(
            """SELECT data FROM file_chunks
               WHERE workspace_id = :workspace AND file_id = :file AND number = :number""",
            workspace=file.workspace_id,
            file=file.id,
            number=number,
        )
        if data is None:
            raise RuntimeError(f"file {file.id} was removed while it was read")
        yield bytes(data)[skip:]
        number, skip = number + 1, 0
