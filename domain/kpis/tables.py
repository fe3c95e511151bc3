"""The report's tables as CSV that any spreadsheet opens, and in which no cell is ever a formula."""

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal

from domain import money
from domain.kpis import wording
from domain.kpis.facts import Facts

Cell = str | int | Decimal | None

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMULA = re.compile(r"[\s\"'`\u200b\u2060\ufeff]*[=+\-@＝＋－＠﹢﹣﹦﹫]")


def guarded(cell: Cell) -> Cell:
    """Text that a spreadsheet would take for a formula, marked as text; numbers as they are.

    Control characters become spaces, so no cell reaches over its line. What begins with = + - @, also
    in full width or behind blanks and quotes, gets an apostrophe in front.
    """
    if not isinstance(cell, str):
        return cell
    text = _CONTROL.sub(" ", cell)
    return f"'{text}" if _FORMULA.match(text) or text != cell else text


def render(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bytes:
    """UTF-8 with a byte order mark, by which Excel knows it; text quoted, numbers bare."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    for row in (header, *rows):
        writer.writerow([guarded(cell) for cell in row])
    return out.getvalue().encode("utf-8-sig")


def all_tables(facts: Facts) -> dict[str, bytes]:
    """The three tables of a report by name."""
    return {"kpis": kpis(facts), "matrix": matrix(facts), "trend": trend(facts)}


def kpis(facts: Facts) -> bytes:
    t = facts.language
    header = [
        label(t)
        for label in (
            wording.CODE, wording.KPI, wording.KIND, wording.FROM, wording.TO, wording.AS_OF,
            wording.NUMERATOR, wording.DENOMINATOR, wording.VALUE, wording.BASELINE, wording.COMPARATOR,
            wording.TARGET, wording.DIFFERENCE, wording.STATUS,
        )
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for kpi in facts.kpis:
        found = kpi.snapshot
        rows.append(
            [
                kpi.code,
                kpi.definition.name(t),
                wording.DIMENSIONS[kpi.definition.dimension](t),
                found.period_start.astimezone(facts.tz).isoformat() if found else None,
                found.period_end.astimezone(facts.tz).isoformat() if found else None,
                found.as_of.astimezone(facts.tz).isoformat() if found else None,
                kpi.numerator,
                kpi.denominator,
                kpi.value,
                kpi.baseline,
                wording.COMPARATORS[kpi.comparator](t),
                kpi.target,
                kpi.gap,
                wording.STATUSES[kpi.status](t),
            ]
        )
    return render(header, rows)


def matrix(facts: Facts) -> bytes:
    t = facts.language
    return render(
        [wording.LIFECYCLE(t), wording.VALUE_LEVEL(t), wording.CUSTOMERS(t)],
        [
            [wording.STAGES[stage](t), wording.LEVELS[level](t), count]
            for (stage, level), count in facts.census.cells.items()
        ],
    )


def trend(facts: Facts) -> bytes:
    t = facts.language
    return render(
        [wording.MONTH(t), wording.ORDERS(t), wording.REVENUE(t), wording.CURRENCY(t)],
        [
            [
                f"{month.first:%Y-%m}",
                month.orders,
                money.amount(month.revenue_minor, facts.currency),
                facts.currency,
            ]
            for month in facts.months
        ],
    )
