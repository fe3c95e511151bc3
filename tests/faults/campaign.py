"""One run of the faults: a load, chaos for so long, and the reckoning."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.chaos import Chaos
from tests.faults.checker import doubled, missing, settle, unseen
from tests.faults.load import Load
from tests.faults.town import Rows, Town, distributed, embedded

MODES: dict[str, Callable[[Path], AbstractContextManager[Town]]] = {
    "distributed": distributed,
    "embedded": embedded,
}
SETTLE_SECONDS = 120


@dataclass
class Outcome:
    """What the reckoning found; a promise is broken where anything but `counts` and `told` is not empty."""

    counts: dict[str, int]
    told: str
    lost: dict[str, list[object]]
    doubled: dict[str, Rows]
    stuck: dict[str, Rows]
    unseen: list[str]
    wrong: list[str]
    died: list[str]
    without: dict[str, int] = field(default_factory=dict)

    @property
    def faults(self) -> int:
        return sum(self.counts.values())

    @property
    def broken(self) -> list[str]:
        return [
            f"{what}: {str(found)[:1500]}"
            for what, found in (
                ("LOST", self.lost),
                ("DOUBLED", self.doubled),
                ("STUCK", self.stuck),
                ("NOT SEEN ONCE AND IN ORDER", self.unseen),
                ("ANSWERED WRONGLY", self.wrong),
                ("DIED BY ITSELF", self.died),
            )
            if found
        ]

    def report(self) -> str:
        lines = [f"{self.faults} faults that took effect:"]
        lines += [f"  {count:3d}  {name}" for name, count in sorted(self.counts.items())]
        if self.without:
            lines.append(f"  not counted, for want of an effect: {self.without}")
        lines.append(self.told)
        lines += [f"{name}: {len(found)}" for name, found in (("lost", self.lost), ("doubled", self.doubled))]
        lines += [f"stuck: {len(self.stuck)}", f"followers with a gap: {len(self.unseen)}"]
        return "\n".join([*lines, *(self.broken or ["every promise is kept"])])


def carry_out(town: Town, seed: int, seconds: float, only: tuple[str, ...] = ()) -> Outcome:
    """Attack a town under load, let it come to rest, and reckon."""
    load, chaos = Load(town, seed), Chaos(town, seed)
    if only:
        chaos.faults = {name: chaos.faults[name] for name in only}
    load.start()
    time.sleep(2)
    chaos.go_on(seconds)
    load.end()
    stuck = settle(town, SETTLE_SECONDS)
    heads = {
        subject: town.look(f"SELECT count(*) FROM journal WHERE subject = '{subject}'")[0][0]
        for subject in ("run", "task")
    }
    load.followed(lambda follower: heads[follower.subject])
    return Outcome(
        dict(chaos.counts()),
        _told(town, load),
        missing(town, load),
        doubled(town),
        stuck,
        unseen(town, load),
        load.log.wrong,
        chaos.died,
        dict(chaos.without),
    )


def _told(town: Town, load: Load) -> str:
    log = load.log
    ((lost,),) = town.look("SELECT count(*) FROM runs WHERE CAST(errors AS text) LIKE '%LOST%'")
    states = town.look("SELECT state, count(*) FROM runs GROUP BY state ORDER BY state")
    ((lines,),) = town.look("SELECT count(*) FROM journal")
    return (
        f"{len(log.orders)} orders, {len(log.leads)} leads with two escalations each, "
        f"{len(log.imports)} imports, {len(log.recomputes)} recomputes, {len(log.probes)} probes; "
        f"runs {dict(states)}, {lost} of them taken from a worker that was lost; "
        f"{lines} journal lines; {sum(f.comings for f in load.followers)} connections of "
        f"{len(load.followers)} followers; asked again: {dict(log.unanswered)}; "
        f"{len(town.logged('run_fenced'))} attempts fenced; slowest answer {log.slowest:.1f} s"
    )
