"""The sample of 2,357 CDNOW customers on which the models were published, counted in plain Python."""

import csv
import gzip
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np

from domain.predictions.purchasing import Histories
from domain.predictions.spending import Means
from tests.architecture.sources import ROOT

ORDERS = ROOT / "examples" / "cdnow_orders.csv.gz"
SAMPLE = Path(__file__).parents[2] / "data" / "cdnow_sample_customers.txt"
CUT = date(1997, 9, 30)
END = date(1998, 6, 30)


def sample() -> set[str]:
    return set(SAMPLE.read_text().split())


@cache
def days() -> dict[str, dict[date, Decimal]]:
    """What each customer of the sample spent on each day: orders of one day are one purchase."""
    chosen = sample()
    found: dict[str, dict[date, Decimal]] = defaultdict(dict)
    with gzip.open(ORDERS, "rt", newline="") as source:
        for row in csv.DictReader(source):
            if row["customer_id"] in chosen:
                own, day = found[row["customer_id"]], date.fromisoformat(row["ordered_at"])
                own[day] = own.get(day, Decimal(0)) + Decimal(row["amount"])
    return found


def orders_csv(until: date) -> bytes:
    """The sample's orders up to a day, as a file to import."""
    chosen = sample()
    with gzip.open(ORDERS, "rt", newline="") as source:
        header, *lines = source.readlines()
    wanted = [
        line for line in lines if line.split(",")[1] in chosen and line.split(",")[2] <= until.isoformat()
    ]
    return "".join([header, *wanted]).encode()


def histories(until: date = CUT) -> Histories:
    counts: Counter[tuple[int, int, int]] = Counter()
    for bought in days().values():
        seen = sorted(day for day in bought if day <= until)
        counts[len(seen) - 1, (seen[-1] - seen[0]).days, (until - seen[0]).days] += 1
    table = np.array([(*history, number) for history, number in counts.items()], dtype=float)
    return Histories(table[:, 0], table[:, 1] / 7, table[:, 2] / 7, table[:, 3])


def means(until: date = CUT) -> Means:
    """Mean spend on the days after the first one; those who spent nothing on them are left out."""
    counts: Counter[tuple[int, Decimal]] = Counter()
    for bought in days().values():
        _, *later = sorted(day for day in bought if day <= until)
        spent = sum((bought[day] for day in later), Decimal(0))
        if spent:
            counts[len(later), spent / len(later)] += 1
    table = np.array([(x, float(mean), number) for (x, mean), number in counts.items()], dtype=float)
    return Means(table[:, 0], table[:, 1], table[:, 2])
