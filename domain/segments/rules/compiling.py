"""Makes one set-based statement of a condition: every customer is looked at once, and values are parameters.

What is counted of orders, events and the like is one derived table each, with one row a customer, joined
from the left; two conditions that count the same share it. So the rest is a plain expression over
joined rows that is true or false and never unknown, and the same expression answers for one customer.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from domain import timekeeping
from domain.segments.rules.checks import Place
from domain.segments.rules.conditions import NumberTest, TimeTest, Window

_OPERATORS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
Bindings = list[tuple[str, Any]]


class Shown(StrEnum):
    """As what a value is shown to people."""

    NUMBER = "NUMBER"
    MONEY = "MONEY"
    INSTANT = "INSTANT"
    WORD = "WORD"


@dataclass(frozen=True)
class Asked:
    """One comparison of a leaf: which figure, the expression that gives it, and whether it holds."""

    place: Place
    name: str
    value: str
    holds: str
    threshold: str
    shown: Shown


@dataclass
class Compiled:
    """The joins and the expression of a condition, with their parameters; and its single tests."""

    as_of: datetime
    tz: ZoneInfo
    money: Callable[[int], str] = str
    """How an amount of minor units is shown."""
    among: str = ""
    """The condition on `customer_id` of those asked about, so that nobody else's rows are read; none: all."""
    params: dict[str, Any] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)
    tests: list[Asked] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    """The tables that the statement reads besides customers."""
    holds: str = ""
    _tables: dict[Hashable, str] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        name = f"p{len(self.params)}"
        self.params[name] = list(value) if isinstance(value, tuple) else value
        return f":{name}"

    def table(self, name: str, columns: str, where: Bindings, tail: str = "GROUP BY customer_id") -> str:
        """The alias of a derived table with one row a customer, the same for what is the same."""
        key = (name, columns, tuple(where), tail)
        if key not in self._tables:
            alias = f"t{len(self._tables)}"
            self._tables[key] = alias
            self.reads.add(name)
            conditions = [text.format(self.bind(value)) if "{}" in text else text for text, value in where]
            if self.among:
                conditions.append(self.among)
            self.joins.append(
                f"""LEFT JOIN (SELECT customer_id{columns} FROM {name}
                  WHERE workspace_id = :workspace AND {" AND ".join(["1 = 1", *conditions])} {tail}) {alias}
                  ON {alias}.customer_id = c.id"""
            )
        return self._tables[key]

    def test(
        self, place: Place, name: str, value: str, holds: str, threshold: str, shown: Shown = Shown.NUMBER
    ) -> str:
        """Note a test; its expression, which is true or false whatever is missing."""
        holds = f"(({holds}) IS TRUE)"
        self.tests.append(Asked(place, name, value, holds, threshold, shown))
        return holds

    def number(
        self, place: Place, name: str, column: str, test: NumberTest, shown: Shown = Shown.NUMBER
    ) -> str:
        """A test of a count or sum, which is zero where there is nothing to count."""
        looked_at = f"COALESCE({column}, 0)" if test.takes(0) else column
        given = [(sign, getattr(test, part)) for part, sign in _OPERATORS.items()]
        parts = [f"{looked_at} {sign} {self.bind(line)}" for sign, line in given if line is not None]
        return self.test(
            place, name, f"COALESCE({column}, 0)", " AND ".join(parts), self._line(test, shown), shown
        )

    def average(self, place: Place, alias: str, test: NumberTest) -> str:
        """Multiplied out, so that nothing is rounded; no average where there is nothing."""
        given = [(sign, getattr(test, part)) for part, sign in _OPERATORS.items()]
        parts = [
            f"{alias}.total {sign} {self.bind(line)} * {alias}.n" for sign, line in given if line is not None
        ]
        value = f"{alias}.total / {alias}.n"
        return self.test(
            place, "average", value, " AND ".join(parts), self._line(test, Shown.MONEY), Shown.MONEY
        )

    def _line(self, test: NumberTest, shown: Shown) -> str:
        given = [(sign, getattr(test, part)) for part, sign in _OPERATORS.items()]
        return " and ".join(
            f"{sign} {self.money(line) if shown is Shown.MONEY else line}"
            for sign, line in given
            if line is not None
        )

    def time(self, place: Place, name: str, column: str, test: TimeTest) -> str:
        """A test of when; where there is no such instant, it does not hold."""
        parts, lines = [f"{column} <= :as_of"], []
        if test.within_days is not None:
            since = self.as_of - timedelta(days=test.within_days)
            parts.append(f"{column} >= {self.bind(since)}")
            lines.append(f"within {test.within_days} days")
        if test.within_months is not None:
            today = timekeeping.local_day(self.as_of, self.tz)
            first = timekeeping.earliest_day_within(today, test.within_months)
            parts.append(f"{column} >= {self.bind(timekeeping.midnight(first, self.tz))}")
            lines.append(f"within {test.within_months} months")
        if test.days_ago is not None:
            parts.append(f"{column} <= {self.bind(self.as_of - timedelta(days=test.days_ago))}")
            lines.append(f"{test.days_ago} days ago or more")
        if test.months_ago is not None:
            parts.append(self._passed(column, test.months_ago))
            lines.append(f"{test.months_ago} months ago or more")
        for part, sign in (("gte", ">="), ("lte", "<=")):
            line = getattr(test, part)
            if line is not None:
                parts.append(f"{column} {sign} {self.bind(line)}")
                lines.append(f"{sign} {line.isoformat()}")
        return self.test(place, name, column, " AND ".join(parts), " and ".join(lines), Shown.INSTANT)

    def _passed(self, column: str, months: int) -> str:
        spans = timekeeping.anniversaries_passed(self.as_of, months, self.tz)
        parts = [
            f"{column} <= {self.bind(span.end)}"
            if span.start is None
            else f"{column} BETWEEN {self.bind(span.start)} AND {self.bind(span.end)}"
            for span in spans
        ]
        return f"({' OR '.join(parts)})"

    def window(self, column: str, window: Window | None) -> tuple[Bindings, str]:
        """What bounds the things that count, and how that is said; never what is still to come."""
        bounds: Bindings = [(f"{column} <= :as_of", None)]
        if window is None:
            return bounds, ""
        said_of = []
        since = window.since
        if window.days is not None:
            since = self.as_of - timedelta(days=window.days)
            said_of.append(f"in {window.days} days")
        elif window.months is not None:
            since = timekeeping.add_months(self.as_of, -window.months, self.tz)
            said_of.append(f"in {window.months} months")
        elif since is not None:
            said_of.append(f"since {since.isoformat()}")
        if since is not None:
            bounds.append((f"{column} >= {{}}", since))
        if window.until is not None:
            bounds.append((f"{column} <= {{}}", window.until))
            said_of.append(f"until {window.until.isoformat()}")
        return bounds, " ".join(["", *said_of])
