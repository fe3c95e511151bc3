"""What was measured beside what was wanted."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One line of the table; `ok` is None where there is no target."""

    what: str
    shown: str
    target: str = ""
    ok: bool | None = None


def at_most(what: str, value: float, limit: float, unit: str, note: str = "") -> Figure:
    return Figure(what, f"{value:.3g} {unit}{note}", f"<= {limit:g} {unit}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str, note: str = "") -> Figure:
    return Figure(what, f"{value:.3g} {unit}{note}", f">= {limit:g} {unit}", value >= limit)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(figures: Sequence[Figure], title: str = "Machine work") -> None:
    """Print them as a table."""
    table = Table("what", "figure", "target", "", title=title)
    for figure in figures:
        mark = "" if figure.ok is None else ("ok" if figure.ok else "MISSED")
        table.add_row(figure.what, figure.shown, figure.target, mark)
    Console(width=150).print(table)
