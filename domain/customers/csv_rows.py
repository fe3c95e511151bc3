"""CSV from a stored file: records with the byte at which each ends, at bounded memory.

Only the csv module decides where a record ends. It is fed the whole lines that have arrived; a record
that it could not finish is kept back and read again with the lines that follow.
"""

import asyncio
import csv
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from domain import files
from domain.files import File
from domain.runs import Refused

LONGEST_RECORD = 2**20
"""Bytes; a longer record is a quote that was never closed, or no CSV at all."""


class Record(NamedTuple):
    """One row of a file: the line it begins on, its cells, and where the next one begins.

    `keys` names the cells where each row brings its own names; `broken` says why there are no cells.
    """

    line: int
    cells: list[str]
    next_offset: int
    next_line: int
    keys: tuple[str, ...] | None = None
    broken: str | None = None


class Reader:
    """Makes records of bytes that arrive in pieces of any size, from any record's beginning on."""

    def __init__(self, offset: int = 0, line: int = 1) -> None:
        self._offset = offset
        self._line = line
        self._pending = b""

    def feed(self, data: bytes, last: bool = False) -> list[Record]:
        """The records that are complete now; blank lines are none.

        Raises:
            Refused: the bytes are not UTF-8 or not CSV; the message names the line.
        """
        lines = _lines(self._pending + data)
        rest = b"" if last or not lines or lines[-1].endswith(b"\n") else lines.pop()
        texts = [self._decoded(line, self._line + number) for number, line in enumerate(lines)]
        found, used = self._parsed(lines, texts, last)
        self._pending = b"".join(lines[used:]) + rest
        if len(self._pending) > LONGEST_RECORD:
            raise Refused(
                "IMPORT_FORMAT", f"line {self._line}: a record is longer than {LONGEST_RECORD} bytes"
            )
        return found

    def _decoded(self, line: bytes, number: int) -> str:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Refused(
                "IMPORT_ENCODING", f"line {number}, byte {error.start + 1}: the file is not UTF-8"
            ) from None
        return text.removeprefix("\ufeff") if number == 1 else text

    def _parsed(self, lines: list[bytes], texts: list[str], last: bool) -> tuple[list[Record], int]:
        found: list[Record] = []
        source = _Source(texts)
        reader = csv.reader(source)
        begin = 0
        try:
            for cells in reader:
                if source.starved:
                    if last:
                        raise Refused("IMPORT_FORMAT", f"line {self._line}: a quote is not closed")
                    break
                line = self._line
                for consumed in lines[begin : source.taken]:
                    self._offset += len(consumed)
                self._line += source.taken - begin
                begin = source.taken
                if cells:
                    found.append(Record(line, cells, self._offset, self._line))
        except csv.Error as error:
            raise Refused("IMPORT_FORMAT", f"line {self._line}: {error}") from None
        return found, begin


class _Source:
    """Lines for the csv module, which notes how many it took and whether it asked for one too many."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = iter(texts)
        self.taken = 0
        self.starved = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for text in self._texts:
            self.taken += 1
            return text
        self.starved = True
        raise StopIteration


def _lines(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    end = lines.pop()
    return [line + b"\n" for line in lines] + ([end] if end else [])


async def pieces(file: File, offset: int = 0, line: int = 1) -> AsyncIterator[list[Record]]:
    """The records of a file from a record's beginning on, as many at a time as one stored piece holds."""
    reader = Reader(offset, line)
    async for data in files.read(file, offset):
        yield await asyncio.to_thread(reader.feed, data)
    yield await asyncio.to_thread(reader.feed, b"", True)
