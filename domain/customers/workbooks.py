"""Excel workbooks from a stored file: the rows of the first sheet, one after the other.

A workbook is a ZIP of XML that has to be sought in, so it is copied to a temporary file first. What it
would unpack to is looked at before anything is unpacked.
"""

import asyncio
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from itertools import islice
from typing import IO, Any
from zoneinfo import ZoneInfo

import openpyxl

from domain import files
from domain.customers.csv_rows import Record
from domain.files import File
from domain.runs import Refused

AT_ONCE = 1000
LARGEST_PART = 4 * 2**30
"""Bytes of a sheet, which is streamed."""
LARGEST_HELD = 64 * 2**20
"""Bytes of all other parts together, above all the table of texts, which are held in memory."""


async def pieces(file: File, tz: ZoneInfo, offset: int = 0) -> AsyncIterator[list[Record]]:
    """The rows after the first `offset`; the header's row counts. A record's offset is its row's number."""
    with tempfile.TemporaryFile() as copy:
        async for data in files.read(file):
            await asyncio.to_thread(copy.write, data)
        rows = _rows(copy, tz, offset)
        while found := await asyncio.to_thread(_some, rows):
            yield found


def _some(rows: Iterator[Record]) -> list[Record]:
    try:
        return list(islice(rows, AT_ONCE))
    except Refused:
        raise
    except Exception as error:  # whatever the library meets in a file that is none of its own
        raise Refused("IMPORT_FORMAT", "this is not a workbook that can be read (.xlsx)") from error


def _rows(copy: IO[bytes], tz: ZoneInfo, offset: int) -> Iterator[Record]:
    with zipfile.ZipFile(copy) as parts:
        held = 0
        for part in parts.infolist():
            if part.filename.startswith("xl/worksheets/"):
                held += LARGEST_HELD + 1 if part.file_size > LARGEST_PART else 0
            else:
                held += part.file_size
        if held > LARGEST_HELD:
            raise Refused("IMPORT_FORMAT", "the workbook is too large; save it as CSV")
    # The value that a formula had when the workbook was saved, never the formula.
    book = openpyxl.load_workbook(copy, read_only=True, data_only=True, keep_links=False)
    try:
        if not book.worksheets:
            raise Refused("IMPORT_EMPTY", "line 1: the workbook has no sheet")
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what a file says of its size need not be so
        width = 0
        for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
            cells = [_cell(value, tz) for value in values]
            while cells and not cells[-1]:
                cells.pop()
            if not cells:
                continue
            width = width or len(cells)
            if number > offset:
                padding = [""] * (width - len(cells))
                yield Record(number, cells + padding, number, number + 1)
    finally:
        book.close()


def _cell(value: Any, tz: ZoneInfo) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):  # Excel knows no zones: the wall clock is the workspace's
        at_midnight = value.time().isoformat() == "00:00:00"
        return value.date().isoformat() if at_midnight else value.replace(tzinfo=tz).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return str(value)
