"""JSON Lines from a stored file: one object a line, as records with the byte at which each ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from domain import files
from domain.customers.csv_rows import LONGEST_RECORD, Record
from domain.files import File
from domain.runs import Refused


class Reader:
    """Makes records of bytes that arrive in pieces of any size, from any line's beginning on."""

    def __init__(self, offset: int = 0, line: int = 1) -> None:
        self._offset = offset
        self._line = line
        self._pending = b""

    def feed(self, data: bytes, last: bool = False) -> list[Record]:
        """The records of the lines that are whole now; blank lines are none.

        Raises:
            Refused: a line does not end.
        """
        lines = (self._pending + data).split(b"\n")
        self._pending = b"" if last else lines.pop()
        if last and not lines[-1]:
            lines.pop()
        found = []
        for content in lines:
            number = self._line
            self._offset += len(content) + 1
            self._line += 1
            if content.strip():
                found.append(_record(content, number, self._offset))
        if len(self._pending) > LONGEST_RECORD:
            raise Refused(
                "IMPORT_FORMAT", f"line {self._line}: a record is longer than {LONGEST_RECORD} bytes"
            )
        return found


def _record(content: bytes, line: int, next_offset: int) -> Record:
    try:
        found = orjson.loads(content.removeprefix(b"\xef\xbb\xbf") if line == 1 else content)
    except orjson.JSONDecodeError:
        return Record(line, [], next_offset, line + 1, broken="the line is not JSON")
    if not isinstance(found, dict):
        return Record(line, [], next_offset, line + 1, broken="the line is not a JSON object")
    try:
        cells = [_cell(value) for value in found.values()]
    except ValueError as error:
        return Record(line, [], next_offset, line + 1, broken=str(error))
    return Record(line, cells, next_offset, line + 1, keys=tuple(found))


def _cell(value: Any) -> str:
    """A value as a cell of a table would show it; a list of texts as those with semicolons between."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    if not all(isinstance(item, str) and ";" not in item for item in value):
        raise ValueError("a list holds something else than texts without semicolons")
    return ";".join(value)


async def pieces(file: File, offset: int = 0, line: int = 1) -> AsyncIterator[list[Record]]:
    """The records of a file from a line's beginning on, as many at a time as one stored piece holds."""
    reader = Reader(offset, line)
    async for data in files.read(file, offset):
        yield await asyncio.to_thread(reader.feed, data)
    yield await asyncio.to_thread(reader.feed, b"", True)
