"""The CDNOW orders, with their dates moved so that the last of them was yesterday."""

import csv
import gzip
from datetime import date, timedelta
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "examples" / "cdnow_orders.csv.gz"
LAST_DAY = date(1998, 6, 30)


def write(target: Path, yesterday: date | None) -> None:
    """Write the data set as CSV; with `yesterday`, every date is moved by the same number of days."""
    shift = yesterday - LAST_DAY if yesterday else timedelta(0)
    with gzip.open(SOURCE, "rt", newline="") as source, target.open("w", newline="") as out:
        rows, made = csv.DictReader(source), None
        for row in rows:
            if made is None:
                made = csv.DictWriter(out, list(row))
                made.writeheader()
            row["ordered_at"] = (date.fromisoformat(row["ordered_at"]) + shift).isoformat()
            made.writerow(row)
