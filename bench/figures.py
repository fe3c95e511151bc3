"""What was measured beside what was wanted, printed line by line as it becomes known."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One line; `ok` is None where there is no target."""

    what: str
    shown: str
    target: str = ""
    ok: bool | None = None

    def __str__(self) -> str:
        mark = "" if self.ok is None else ("met" if self.ok else "MISSED")
        return f"  {self.what:<52} {self.shown:<44} {self.target:<10} {mark}".rstrip()


def at_most(what: str, value: float, limit: float, unit: str, note: str = "") -> Figure:
    return Figure(what, f"{value:.3g} {unit}{note}", f"<= {limit:g} {unit}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str, note: str = "") -> Figure:
    return Figure(what, f"{value:.3g} {unit}{note}", f">= {limit:g} {unit}", value >= limit)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Board:
    """Where figures go: a run that is broken off keeps what it had printed."""

    figures: list[Figure] = field(default_factory=list)

    def add(self, *figures: Figure) -> None:
        for figure in figures:
            self.figures.append(figure)
            print(figure, flush=True)

    def sum_up(self) -> None:
        """Say how many targets were met, and which were not."""
        missed = [figure.what.strip() for figure in self.figures if figure.ok is False]
        met = sum(figure.ok is True for figure in self.figures)
        print(f"{met} targets met, {len(missed)} missed" + (": " + "; ".join(missed) if missed else ""))
