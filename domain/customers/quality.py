"""How good an imported file was: exact counts while it is read, shares that never round up when asked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

GATE_PERCENT = 98
"""Of the records, so many must be accurate (S4-119)."""
DIGITS = 5
"""Of a percentage, after the point. With two, 97.99995 % would print as the 98 that it is not."""
FENCE = 3
"""Interquartile ranges beyond the quartiles from where on a value lies far out."""


def passes(rows: int, inaccurate: int) -> bool:
    """Whether the gate lets a file through, by whole numbers (A-30)."""
    return (rows - inaccurate) * 100 >= GATE_PERCENT * rows


def percent(part: int, whole: int) -> float:
    """A share in percent, rounded down. Of nothing, everything is as it should be."""
    scale = 10**DIGITS
    return part * 100 * scale // whole / scale if whole else 100.0


def bucket(value: int) -> int:
    """Where a value stands on a scale of doublings, in quarter steps: a histogram of bounded size."""
    bits = value.bit_length()
    return bits << 2 | (value >> bits - 3 & 3 if bits > 2 else 0)


def far_out(sizes: Mapping[str, int]) -> int:
    """How many values of a histogram lie beyond the fences; none where nearly all are alike."""
    steps = sorted((int(step), count) for step, count in sizes.items())
    total = sum(count for _, count in steps)
    if total < 8:
        return 0
    reached = list(accumulate(count for _, count in steps))
    lower, upper = (
        next(step for (step, _), so_far in zip(steps, reached, strict=True) if so_far * 4 >= total * quarter)
        for quarter in (1, 3)
    )
    beyond = FENCE * max(upper - lower, 4)
    return sum(count for step, count in steps if step < lower - beyond or step > upper + beyond)


@dataclass
class Figures:
    """What is counted of a file's rows, in the cursor of the import, so that each row counts once."""

    rows: int = 0
    inaccurate: int = 0
    repeated: int = 0
    filled: Counter[str] = field(default_factory=Counter)
    sizes: dict[str, Counter[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Figures":
        sizes = {name: Counter(steps) for name, steps in kept.get("sizes", {}).items()}
        numbers = {name: kept.get(name, 0) for name in ("rows", "inaccurate", "repeated")}
        return cls(**numbers, filled=Counter(kept.get("filled", {})), sizes=sizes)

    def kept(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "inaccurate": self.inaccurate,
            "repeated": self.repeated,
            "filled": dict(self.filled),
            "sizes": {name: dict(steps) for name, steps in self.sizes.items()},
        }

    def add(self, other: "Figures") -> None:
        self.rows += other.rows
        self.inaccurate += other.inaccurate
        self.repeated += other.repeated
        self.filled.update(other.filled)
        for name, steps in other.sizes.items():
            self.sizes.setdefault(name, Counter()).update(steps)

    def columns(self, names: list[str]) -> list[dict[str, Any]]:
        """Of each column of the file, how many rows have something there, and how many lie far out."""
        return [
            {
                "name": name,
                "filled": self.filled[name],
                "outliers": far_out(self.sizes[name]) if name in self.sizes else None,
            }
            for name in names
        ]
