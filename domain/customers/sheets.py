"""What an imported file looks like: its columns, and how each cell becomes a value.

Everything here is pure, so that a batch can be read on another thread.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain import money, texts, timekeeping
from domain.customers import rules
from domain.customers.csv_rows import Record
from domain.customers.models import OrderStatus
from domain.customers.repeats import Repeats
from domain.errors import DomainError, Duplicate, Invalid, Required
from domain.runs import Refused

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d{1,6})?)([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_AMOUNT = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,3}))?", re.ASCII)
_COUNT = re.compile(r"\d{1,9}", re.ASCII)

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


@dataclass(frozen=True)
class Sheet:
    """The columns of one kind of file, the first of them its key. Their order in a file is free."""

    columns: Mapping[str, Cell]
    required: frozenset[str]

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
            if name not in self.columns:
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

    def key_of(self, record: Record, columns: list[str]) -> str | None:
        """The key by which repeats are told; none where the row has no usable one."""
        if len(record.cells) != len(columns):
            return None
        try:
            return rules.external_id(record.cells[columns.index(self.key)], self.key)
        except DomainError:
            return None

    def read(
        self, records: Sequence[Record], columns: list[str], repeats: Repeats
    ) -> tuple[list[Row], list[Fault]]:
        """The rows that will do, and every fault of the others."""
        rows: list[Row] = []
        faults: list[Fault] = []
        for record in records:
            found = len(faults)
            values = self._values(record, columns, faults)
            key = self.key_of(record, columns)
            if key is not None and not repeats.first(key):
                repeated = Duplicate(f"repeated {self.key}, first seen earlier in this file")
                faults.append(Fault.of(record.line, self.key, repeated))
            if len(faults) == found:
                rows.append(Row(record.line, values))
        return rows, faults

    def _values(self, record: Record, columns: list[str], faults: list[Fault]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if len(record.cells) != len(columns):
            wrong = Invalid(f"the row has {len(record.cells)} cells, the header has {len(columns)}")
            faults.append(Fault.of(record.line, None, wrong))
            return values
        for column, cell in zip(columns, record.cells, strict=True):
            try:
                if cell.strip():
                    values[column] = self.columns[column](cell.strip(), column)
                elif column in self.required:
                    raise Required(f"{column} is empty")
                else:
                    values[column] = None
            except DomainError as error:
                faults.append(Fault.of(record.line, column, error))
        return values


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
    )


def customer_sheet(tz: ZoneInfo) -> Sheet:
    return Sheet(
        columns={
            "customer_id": rules.external_id,
            "name": lambda cell, column: texts.text(cell, column, 200),
            "company": lambda cell, column: texts.text(cell, column, 200),
            "phone": rules.phone,
            "email": texts.email,
            "registered_at": moment(tz),
            "tags": lambda cell, column: rules.tags((t for t in cell.split(";") if t.strip()), column),
        },
        required=frozenset({"customer_id"}),
    )
