"""What an imported file looks like: its columns, and how each cell becomes a value.

Everything here is pure, so that a batch can be read on another thread.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain import money, texts, timekeeping
from domain.customers import addresses, rules
from domain.customers.csv_rows import Record
from domain.customers.models import OrderStatus
from domain.customers.quality import Figures, bucket
from domain.customers.repeats import Repeats
from domain.errors import DomainError, Duplicate, Invalid, Required
from domain.runs import Refused

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_AMOUNT = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,3}))?", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)
LARGEST_DATA = 8192
"""Characters of the JSON that may come with an event."""

FAULTS_COLUMN = "import_errors"
"""What is wrong with a row, in the file of rows that were not taken; not looked at when that is imported."""

Cell = Callable[[str, str], Any]
"""Makes a value of a cell that is not empty; its second argument is the column's name."""


class Fault(NamedTuple):
    """Why a row was not taken. The message never quotes the row."""

    line: int
    column: str | None
    code: str
    message: str

    @classmethod
    def of(cls, line: int, column: str | None, error: DomainError) -> "Fault":
        return cls(line, column, error.problems[0].code.value, str(error))


class Row(NamedTuple):
    """A row that will do: its line and the values of its cells, None for empty ones."""

    line: int
    values: dict[str, Any]


@dataclass
class Reading:
    """What a batch of records was read as."""

    rows: list[Row] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    partial: int = 0
    """Rows that will do without the fields that will not."""
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True)
class Sheet:
    """The columns of one kind of file, the first of them its key. Their order in a file is free."""

    columns: Mapping[str, Cell]
    required: frozenset[str]
    measured: frozenset[str] = frozenset()
    """Columns of numbers of which those that lie far out are counted."""
    identity: tuple[str, ...] = ()
    """The columns that together tell a row from another, where that is not the first one alone."""

    @property
    def key(self) -> str:
        return next(iter(self.columns))

    def header(self, cells: Sequence[str], line: int) -> list[str]:
        """The columns of a file.

        Raises:
            Refused: one is missing, unknown or there twice. What stands in an unknown one is not
                said: a file without a header begins with a person's data.
        """
        found = [cell.strip() for cell in cells]
        for number, name in enumerate(found, 1):
            if name not in self.columns and name != FAULTS_COLUMN:
                raise Refused(
                    "IMPORT_HEADER",
                    f"line {line}, column {number}: unknown; the columns are {', '.join(self.columns)}",
                )
            if name in found[: number - 1]:
                raise Refused("IMPORT_HEADER", f"line {line}, column {number}: {name} is there twice")
        missing = [name for name in self.columns if name in self.required and name not in found]
        if missing:
            raise Refused("IMPORT_HEADER", f"line {line}: the column {missing[0]} is missing")
        return found

    def named(self, records: Sequence[Record]) -> set[str]:
        """The columns that records name which bring their own names.

        Raises:
            Refused: one is unknown.
        """
        found: set[str] = set()
        for record in records:
            keys = record.keys or ()
            if not found.issuperset(keys):
                for number, name in enumerate(keys, 1):
                    if name not in self.columns:
                        raise Refused(
                            "IMPORT_HEADER",
                            f"line {record.line}, key {number}: unknown; "
                            f"the columns are {', '.join(self.columns)}",
                        )
                found.update(keys)
        return found

    def key_of(self, record: Record, columns: list[str]) -> str | None:
        """The key by which repeats are told; none where the row has no usable one."""
        cells = laid_out(record, columns)
        if len(cells) != len(columns):
            return None
        return self._key(cells, columns)

    def _key(self, cells: Sequence[str], columns: list[str]) -> str | None:
        if self.identity:
            return "\x1f".join(cells[columns.index(name)].strip() for name in self.identity)
        try:
            return rules.external_id(cells[columns.index(self.key)], self.key)
        except DomainError:
            return None

    def read(
        self, records: Sequence[Record], columns: list[str], repeats: Repeats, lenient: bool = False
    ) -> Reading:
        """The rows that will do, and every fault of the others.

        With `lenient`, a field that will not do is left out of its row; a mandatory one takes the row
        with it all the same.
        """
        reading = Reading(figures=Figures(rows=len(records)))
        faults, figures = reading.faults, reading.figures
        filled = [0] * len(columns)
        figures.sizes = {name: Counter() for name in columns if name in self.measured}
        measured = list(figures.sizes)
        alone = "" if self.identity else self.key
        for record in records:
            found = len(faults)
            cells = laid_out(record, columns)
            values: dict[str, Any] = {}
            bad = False
            if record.broken is not None or len(cells) != len(columns):
                wrong = record.broken or f"the row has {len(cells)} cells, the header has {len(columns)}"
                faults.append(Fault.of(record.line, None, Invalid(wrong)))
                bad = True
            else:
                bad = self._values(record.line, cells, columns, values, faults, filled)
                key = values.get(alone) or self._key(cells, columns)
                if key is not None and not repeats.first(key):
                    repeated = Duplicate(f"repeated {self.key}, first seen earlier in this file")
                    faults.append(Fault.of(record.line, self.key, repeated))
                    figures.repeated += 1
                    bad = True
            for name in measured:
                value = values.get(name)
                if value is not None:
                    figures.sizes[name][str(bucket(value))] += 1
            figures.inaccurate += bad
            if len(faults) == found:
                reading.rows.append(Row(record.line, values))
            elif lenient and not bad:
                reading.partial += 1
                reading.rows.append(Row(record.line, values))
        figures.filled.update(dict(zip(columns, filled, strict=True)))
        return reading

    def _values(
        self,
        line: int,
        cells: Sequence[str],
        columns: list[str],
        values: dict[str, Any],
        faults: list[Fault],
        filled: list[int],
    ) -> bool:
        """Fill in the values of a row's cells; whether a mandatory one will not do."""
        bad = False
        for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
            if column == FAULTS_COLUMN:
                continue
            cell = cell.strip()
            try:
                if cell:
                    filled[number] += 1
                    values[column] = self.columns[column](cell, column)
                    continue
                values[column] = None
                if column in self.required:
                    raise Required(f"{column} is empty")
            except DomainError as error:
                values[column] = None
                faults.append(Fault.of(line, column, error))
                bad = bad or column in self.required
        return bad


def laid_out(record: Record, columns: list[str]) -> Sequence[str]:
    """A record's cells in the order of the columns.

    In a file of rows that were not taken, whatever might be taken for a formula has a `'` before it,
    which is not part of the value.
    """
    if record.keys is not None:
        given = dict(zip(record.keys, record.cells, strict=True))
        return [given.get(column, "") for column in columns]
    if FAULTS_COLUMN in columns:
        return [cell.removeprefix("'") for cell in record.cells]
    return record.cells


def moment(tz: ZoneInfo) -> Cell:
    """A day, which stands for its local midnight, or an RFC 3339 date-time with its offset."""

    @lru_cache(maxsize=4096)
    def parse(cell: str, column: str) -> datetime:
        try:
            if _DAY.fullmatch(cell):
                return rules.instant(timekeeping.midnight(date.fromisoformat(cell), tz), column)
            parts = _INSTANT.fullmatch(cell)
            if parts is None:
                raise Invalid(f"{column} is neither a day nor a date-time (RFC 3339)")
            if parts[3] is None:
                raise Invalid(f"{column} has a time without an offset from UTC")
            return rules.instant(datetime.fromisoformat(f"{parts[1]}T{parts[2]}{parts[3].upper()}"), column)
        except (ValueError, OverflowError):
            raise Invalid(f"{column} is not in the calendar") from None

    return parse


def amount(currency: str) -> Cell:
    """An amount in the currency's main unit, as minor units."""
    exponent = money.exponent(currency)

    def parse(cell: str, column: str) -> int:
        parts = _AMOUNT.fullmatch(cell)
        if parts is None or len(parts[3] or "") > exponent:
            raise Invalid(f"{column} is not a number with at most {exponent} digits after the point")
        minor = int(parts[2] + (parts[3] or "").ljust(exponent, "0"))
        return rules.amount(-minor if parts[1] else minor, column)

    return parse


def _count(cell: str, column: str) -> int:
    if not _COUNT.fullmatch(cell):
        raise Invalid(f"{column} is not a whole number")
    return rules.quantity(int(cell), column)


def _status(cell: str, column: str) -> OrderStatus:
    try:
        return OrderStatus(cell)
    except ValueError:
        raise Invalid(f"{column} is not one of {', '.join(OrderStatus)}") from None


def event_data(cell: str, column: str) -> dict[str, Any]:
    """A JSON object that both databases can store."""
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not rules.storable(found):
        raise Invalid(f"{column} is not a JSON object that can be stored")
    if len(cell) > LARGEST_DATA:
        raise Invalid(f"{column} has at most {LARGEST_DATA} characters")
    return found


def order_sheet(tz: ZoneInfo, currency: str) -> Sheet:
    return Sheet(
        columns={
            "order_id": rules.external_id,
            "customer_id": rules.external_id,
            "ordered_at": moment(tz),
            "amount": amount(currency),
            "quantity": _count,
            "currency": lambda cell, column: rules.currency(cell, currency, column),
            "status": _status,
            "delivered_at": moment(tz),
        },
        required=frozenset({"order_id", "customer_id", "ordered_at", "amount"}),
        measured=frozenset({"amount", "quantity"}),
    )


def customer_sheet(tz: ZoneInfo) -> Sheet:
    phone = addresses.phone_in(addresses.region(str(tz)))
    return Sheet(
        columns={
            "customer_id": rules.external_id,
            "name": lambda cell, column: texts.text(cell, column, 200),
            "company": lambda cell, column: texts.text(cell, column, 200),
            "phone": phone,
            "email": addresses.email,
            "registered_at": moment(tz),
            "tags": lambda cell, column: rules.tags((t for t in cell.split(";") if t.strip()), column),
        },
        required=frozenset({"customer_id"}),
    )


def event_sheet(tz: ZoneInfo) -> Sheet:
    return Sheet(
        columns={
            "event_id": rules.external_id,
            "customer_id": rules.external_id,
            "name": lambda cell, column: texts.text(cell, column, 64),
            "occurred_at": moment(tz),
            "data": event_data,
        },
        required=frozenset({"event_id", "customer_id", "name", "occurred_at"}),
    )
