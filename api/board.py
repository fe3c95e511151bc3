"""Machine work as a live table on the command line, over GraphQL like everything it shows."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api.client import Client
from domain import timekeeping

SHOWN = 20
BAR_WIDTH = 8
LOOK_SECONDS = 1.0
STYLES = {
    "RUNNING": "cyan",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "RETRYING": "yellow",
    "CANCELLING": "yellow",
}
BOARD = """query ($where: RunWhere, $first: Int!) {
  queues { name waiting running oldestAt paused }
  runs(where: $where, first: $first) { nodes {
    id kind state attempt startedBy worker errorCode queuedAt finishedAt
    progress { done total unit etaSeconds } } } }"""


def where(states: list[str], kinds: list[str]) -> dict[str, Any] | None:
    """The filter of these states and kinds; none for everything."""
    chosen: dict[str, Any] = {}
    if states:
        chosen["state"] = {"in": states}
    if kinds:
        chosen["kind"] = {"in": kinds}
    return chosen or None


async def show_runs(
    client: Client, *, watch: bool, states: list[str], kinds: list[str], console: Console | None = None
) -> None:
    """The queues, and the latest runs; with `watch`, for as long as they are looked at."""
    console = console or Console()
    chosen = where(states, kinds)

    async def board() -> Group:
        data = await client.ask(BOARD, where=chosen, first=SHOWN)
        now = timekeeping.machine_now()
        return Group(queues_table(data["queues"], now), runs_table(data["runs"]["nodes"], now))

    if not watch:
        console.print(await board())
        return
    with Live(await board(), console=console) as shown:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            shown.update(await board())


def queues_table(queues: list[Mapping[str, Any]], now: datetime) -> Table:
    made = Table("queue", title="Queues")
    for heading in ("waiting", "running", "oldest"):
        made.add_column(heading, justify="right")
    made.add_column("")
    for queue in queues:
        age = since(queue["oldestAt"], now) if queue["oldestAt"] else ""
        paused = Text("paused", "yellow") if queue["paused"] else ""
        made.add_row(queue["name"].lower(), str(queue["waiting"]), str(queue["running"]), age, paused)
    return made


def runs_table(runs: list[Mapping[str, Any]], now: datetime) -> Table:
    made = Table(title="Runs", box=SIMPLE, padding=(0, 1, 0, 0))
    # In a narrow terminal the worker gives way first.
    for heading, width in (("id", 8), ("kind", 22), ("state", 10)):
        made.add_column(heading, min_width=width)
    made.add_column("progress", width=BAR_WIDTH)
    made.add_column("", min_width=12)
    for heading in ("eta", "try", "age"):
        made.add_column(heading, justify="right", min_width=3)
    made.add_column("worker", overflow="ellipsis", no_wrap=True)
    for run in runs:
        progress = run["progress"]
        state = Text(run["state"], STYLES.get(run["state"], ""))
        if run["errorCode"]:
            state.append(f" {run['errorCode']}")
        eta = progress["etaSeconds"]
        made.add_row(
            run["id"],
            run["kind"],
            state,
            _bar(run["state"], progress),
            f"{progress['done']}/{progress['total'] or '?'} {progress['unit']}".rstrip(),
            lasting(eta) if eta is not None and run["state"] == "RUNNING" else "",
            str(run["attempt"]),
            since(run["queuedAt"], now),
            run["worker"] or "",
        )
    return made


def _bar(state: str, progress: Mapping[str, Any]) -> ProgressBar | str:
    if state == "SUCCEEDED":
        return ProgressBar(total=1, completed=1, width=BAR_WIDTH)
    if not progress["total"]:
        return ""
    return ProgressBar(total=progress["total"], completed=progress["done"], width=BAR_WIDTH)


def since(instant: str, now: datetime) -> str:
    """How long ago an instant was, as short as it can be said."""
    return lasting((now - datetime.fromisoformat(instant).astimezone(UTC)).total_seconds())


def lasting(seconds: float) -> str:
    """A duration in its one or two largest units."""
    left = max(0, int(seconds))
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m{left % 60:02}s"
    if left < 86_400:
        return f"{left // 3600}h{left % 3600 // 60:02}m"
    return f"{left // 86_400}d{left % 86_400 // 3600:02}h"
