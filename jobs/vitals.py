"""How the work stands: what ails this process and its surroundings, and the figures of both."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily as Gauge

from domain import db, feeds, runs, timekeeping
from domain.runs import QUEUES, RunState
from domain.settings import Settings
from jobs.broker import BrokerAway, check_redis
from jobs.clock import Clock
from jobs.due import DUE

STALLED_SECONDS = 30.0
UNSEEN_SECONDS = 15.0
BROKER_KEPT_SECONDS = 2.0
OPEN = [state for state in RunState if state not in runs.ENDED]


@dataclass
class Vitals:
    """Asked by health checks and scrapes. `clock` is this process's own; a mere API process has none."""

    settings: Settings
    clock: Clock | None = None
    _broker_asked: float = float("-inf")
    _broker_away: bool = False

    async def failing(self) -> dict[str, str]:
        """Why this process cannot do its work, by what it lacks."""
        if self.clock is not None and time.monotonic() - self.clock.ticked > STALLED_SECONDS:
            return {"clock": "stalled"}
        return {}

    async def ailing(self) -> dict[str, str]:
        """What somebody should look at, though this process does its work."""
        found = {}
        if await self._is_broker_away():
            found["broker"] = "away: work is found a second later"
        if not self.settings.embedded_database:
            seen = await runs.clock_seen()
            if seen is None or seen > UNSEEN_SECONDS:
                found["workers"] = "none seen: nothing falls due, and no run starts"
            if (gap := await db.gap()) is not None:
                found["wall"] = f"{gap}: row-level security does not hold"
        return found

    async def _is_broker_away(self) -> bool:
        if not self.settings.redis_url:
            return False
        if time.monotonic() - self._broker_asked > BROKER_KEPT_SECONDS:
            try:
                await asyncio.to_thread(check_redis, self.settings.redis_url, 0.5)
                self._broker_away = False
            except BrokerAway:
                self._broker_away = True
            self._broker_asked = time.monotonic()
        return self._broker_away

    def here(self) -> Iterable[Gauge]:
        """The figures of this process alone."""
        pool = Gauge("careline_pool_connections", "Database connections of this process.", labels=["use"])
        for use, number in db.pool_use().items():
            pool.add_metric([use], number)
        yield pool
        yield Gauge("careline_runs_in_hand", "Runs that this process has.", len(runs.HEART.held))
        if self.clock is None:
            return
        lag = time.monotonic() - self.clock.ticked
        yield Gauge("careline_clock_lag_seconds", "Since this process's clock last came round.", lag)
        yield Gauge("careline_leader", "Whether this process's clock leads.", int(self.clock.leads))
        away = int(self.clock.broker_away)
        yield Gauge("careline_broker_open", "Whether doorbells are held back: the broker is away.", away)

    async def everywhere(self) -> list[Gauge]:
        """The figures of the database, the same from whichever process they are asked."""
        now = timekeeping.machine_now()
        with db.everywhere():
            return [
                *await _of_runs(now),
                *await _of_timers(now),
                *await self._of_clocks(),
                *await _of_feeds(now),
            ]

    async def _of_clocks(self) -> list[Gauge]:
        seen = None if self.settings.embedded_database else await runs.clock_seen()
        about = "Since any process's clock said that it leads."
        return [] if seen is None else [Gauge("careline_clock_seen_seconds", about, seen)]


def _seconds(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


async def _of_runs(now: datetime) -> list[Gauge]:
    groups = await runs.census()
    states = Gauge("careline_runs", "Runs that have not ended.", labels=["queue", "state"])
    depth = Gauge("careline_queue_depth", "Runs that could start now.", labels=["queue"])
    age = Gauge("careline_queue_age_seconds", "How long the oldest of them could.", labels=["queue"])
    numbers: Counter[tuple[str, str]] = Counter()
    for group in groups:
        numbers[group.queue, group.state.value] += group.number
    for queue in QUEUES:
        for state in OPEN:
            states.add_metric([queue, state.value], numbers[queue, state.value])
        ready = [g.oldest_at for g in groups if g.queue == queue and g.state is RunState.QUEUED]
        depth.add_metric([queue], numbers[queue, RunState.QUEUED.value])
        age.add_metric([queue], _seconds(min(ready, default=None), now))
    strange = [g for g in groups if g.state is RunState.QUEUED and not g.known]
    unknown = Gauge(
        "careline_runs_unknown",
        "Runs that could start and are of a kind that this process does not know.",
        sum(g.number for g in strange),
    )
    unknown_age = Gauge(
        "careline_runs_unknown_age_seconds",
        "How long the oldest of them could.",
        _seconds(min((g.oldest_at for g in strange), default=None), now),
    )
    return [states, depth, age, unknown, unknown_age]


async def _of_timers(now: datetime) -> list[Gauge]:
    lag = Gauge("careline_due_lag_seconds", "How late the oldest due timer is.", labels=["timer"])
    for name, due in DUE.items():
        first = next(iter(await due.find(now, None, 1)), None)
        lag.add_metric([name], _seconds(db.instant_of(first["due_at"]) if first else None, now))
    return [lag]


async def _of_feeds(now: datetime) -> list[Gauge]:
    lag = await feeds.lag()
    return [
        Gauge("careline_feed_lag_lines", "Journal lines not yet reacted to.", lag.unreacted),
        Gauge(
            "careline_feed_lag_seconds",
            "How long the oldest journal line waits for its place.",
            _seconds(lag.unnumbered_since, now),
        ),
        Gauge("careline_parked_lines", "Journal lines on which a reaction failed too often.", lag.parked),
    ]
