"""Reads a stored file of any importable format as records, from where an import stopped."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from zoneinfo import ZoneInfo

from domain.customers import csv_rows, json_rows, workbooks
from domain.customers.choices import ImportFormat
from domain.customers.csv_rows import Record
from domain.files import File


class Source:
    """A file and how it holds its rows."""

    def __init__(self, file: File, form: ImportFormat, tz: ZoneInfo) -> None:
        self.file, self.form, self.tz = file, form, tz

    @property
    def has_header(self) -> bool:
        """Whether the first record names the columns; otherwise each record names its own."""
        return self.form is not ImportFormat.JSON_LINES

    def pieces(self, offset: int = 0, line: int = 1) -> AsyncIterator[list[Record]]:
        """The records from a record's beginning on, some at a time."""
        if self.form is ImportFormat.CSV:
            return csv_rows.pieces(self.file, offset, line)
        if self.form is ImportFormat.JSON_LINES:
            return json_rows.pieces(self.file, offset, line)
        return workbooks.pieces(self.file, self.tz, offset)

    async def batches(self, offset: int, line: int, size: int) -> AsyncGenerator[list[Record]]:
        """The same in batches of `size`, the last one shorter. The next is read while one is taken."""
        found = aiter(self._batches(offset, line, size))
        ahead = asyncio.create_task(_next(found))
        try:
            while batch := await ahead:
                ahead = asyncio.create_task(_next(found))
                yield batch
        finally:
            ahead.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await ahead

    async def _batches(self, offset: int, line: int, size: int) -> AsyncIterator[list[Record]]:
        waiting: list[Record] = []
        async for found in self.pieces(offset, line):
            waiting += found
            while len(waiting) >= size:
                yield waiting[:size]
                waiting = waiting[size:]
        if waiting:
            yield waiting


async def _next(found: AsyncIterator[list[Record]]) -> list[Record]:
    return await anext(found, [])
