"""Moves what is released, by `make release-schema` alone: each release has its line in `releases.json`.

A release that breaks what clients were promised is refused, unless FORCE says why; then the reason, the day
and each break stand in that line.
"""

import hashlib
import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

from graphql import build_schema
from graphql.utilities import find_dangerous_changes

from tests.contract.changes import breaches

HERE = Path(__file__).parent
SCHEMA = HERE.parents[1] / "schema.graphql"
SHORTEST_REASON = 20
Line = dict[str, Any]


class Refused(Exception):
    """Nothing was released; the message says why."""


def released(folder: Path = HERE) -> str:
    return (folder / "released.graphql").read_text(encoding="utf-8")


def lines(folder: Path = HERE) -> list[Line]:
    """Each release, the oldest first: `release`, `day`, `sha256`, and `accepted` where it broke something."""
    found: list[Line] = json.loads((folder / "releases.json").read_text(encoding="utf-8"))
    return found


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def flaws(text: str, known: list[Line]) -> list[str]:
    """What shows that somebody else moved what is released, or wrote into its lines."""
    found = []
    if digest(text) != known[-1]["sha256"]:
        found.append("released.graphql is not what the last line of releases.json says")
    if [line["release"] for line in known] != list(range(1, len(known) + 1)):
        found.append("the releases are not numbered one after the other")
    days = [date.fromisoformat(line["day"]) for line in known]
    if days != sorted(days):
        found.append("the releases are not in the order of their days")
    for line in known:
        accepted = line.get("accepted")
        if accepted is not None and (len(accepted["reason"]) < SHORTEST_REASON or not accepted["breaks"]):
            found.append(f"release {line['release']} accepts breaks without naming them and saying why")
    return found


def dangers(before: str, now: str) -> list[str]:
    """Changes that break no promise and may yet surprise a client: more values, members, other defaults."""
    return [change.description for change in find_dangerous_changes(build_schema(before), build_schema(now))]


def release(now: str, today: date, reason: str = "", folder: Path = HERE) -> Line | None:
    """Keep this schema as what is released; none where it is released already.

    Raises:
        Refused: it breaks what was released and no reason is given, or a reason is given for nothing.
    """
    before, known = released(folder), lines(folder)
    if found := flaws(before, known):
        raise Refused("; ".join(found))
    broken = breaches(before, now, today)
    if broken and not reason:
        raise Refused("\n  ".join(["these are breaks that were not announced:", *broken]))
    if broken and len(reason) < SHORTEST_REASON:
        raise Refused(f"FORCE has to say why, in {SHORTEST_REASON} characters or more")
    if reason and not broken:
        raise Refused("nothing is broken, so there is nothing to force")
    if now == before:
        return None
    line: Line = {"release": len(known) + 1, "day": today.isoformat(), "sha256": digest(now)}
    if broken:
        line["accepted"] = {"reason": reason, "breaks": broken}
    text = json.dumps([*known, line], indent=2, ensure_ascii=False)
    (folder / "releases.json").write_text(text + "\n", encoding="utf-8")
    (folder / "released.graphql").write_text(now, encoding="utf-8")
    return line


def main(compare_only: bool) -> int:
    now, today = SCHEMA.read_text(encoding="utf-8"), date.today()
    for change in dangers(released(), now):
        print(f"careful: {change}")
    if compare_only:
        for change in breaches(released(), now, today):
            print(f"BREAKS: {change}")
        return 0
    try:
        line = release(now, today, os.environ.get("FORCE", "").strip())
    except Refused as error:
        print(f"not released: {error}", file=sys.stderr)
        print('announce them (docs/clients.md, "What stays"), or say FORCE="why it must be"', file=sys.stderr)
        return 1
    print("already released" if line is None else f"release {line['release']} of {line['day']}")
    return 0


if __name__ == "__main__":
    sys.exit(main("--compare" in sys.argv[1:]))
