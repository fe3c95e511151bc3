"""A bucket of points for each caller: an operation takes its cost, and time fills the bucket again.

With Redis the buckets are of all processes, and outlast them. Where Redis does not answer, each process
keeps its own meanwhile: a caller may then have more than its due for a while, and nobody is refused for it.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain import wires

KEPT = 10_000
"""Callers whose buckets a process remembers; who was not here for long has a full one."""
PATIENCE_SECONDS = 0.25
BREAK_SECONDS = 2.0
PREFIX = "careline:points:"
log = structlog.get_logger(__name__)

_TAKE = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local size, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local cost, back = tonumber(ARGV[3]), tonumber(ARGV[4])
local held = redis.call('HMGET', KEYS[1], 'points', 'at')
local points = size + math.min(0, back)
if held[1] then
  points = math.min(size, tonumber(held[1]) + math.max(0, now - tonumber(held[2])) * rate + back)
end
local taken = 0
if points >= cost then
  points = points - cost
  taken = 1
end
redis.call('HSET', KEYS[1], 'points', tostring(points), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil((size - points) / rate * 1000) + 1000)
return {taken, tostring(points)}
"""
"""One step, by Redis's own clock: processes whose clocks differ share the bucket all the same."""


@dataclass(frozen=True)
class Draught:
    """What came of asking for points."""

    taken: bool
    available: float
    """What is left in the bucket."""


class Buckets:
    """The buckets of one size, full at first, that fill by so many points a second."""

    def __init__(self, size: float, per_second: float, redis_url: str | None = None) -> None:
        self.size = size
        self.per_second = per_second
        self._here: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._owed: dict[str, float] = {}
        self._redis: Any = None
        self._broken_until = float("-inf")
        if redis_url:
            self._redis = redis.asyncio.Redis.from_url(
                redis_url,
                socket_timeout=PATIENCE_SECONDS,
                socket_connect_timeout=PATIENCE_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )

    async def take(self, caller: str, cost: float) -> Draught:
        """Take points, all of them or none."""
        back = self._owed.pop(caller, 0.0)
        if self._redis is not None and time.monotonic() >= self._broken_until:
            try:
                return await self._take_shared(caller, cost, back)
            except Exception as error:
                if not _away(error):
                    raise
                # A breaker: while Redis is away nobody waits for it again and again.
                self._broken_until = time.monotonic() + BREAK_SECONDS
                log.warning("buckets_away", error=type(error).__name__)
        return self._take_here(caller, cost, back)

    def give_back(self, caller: str, points: float) -> None:
        """Points that were taken and not needed: the caller has them with its next operation.

        Fewer than none were needed and not taken: the next operation finds so many fewer.
        """
        if points:
            if len(self._owed) >= KEPT:
                self._owed.clear()
            owed = self._owed.get(caller, 0.0) + points
            self._owed[caller] = max(-self.size, min(self.size, owed))

    async def close(self) -> None:
        if self._redis is not None:
            await self._redis.aclose()

    async def _take_shared(self, caller: str, cost: float, back: float) -> Draught:
        taken, points = await self._redis.eval(
            _TAKE, 1, PREFIX + caller, self.size, self.per_second, cost, back
        )
        return Draught(bool(taken), float(points))

    def _take_here(self, caller: str, cost: float, back: float) -> Draught:
        now = time.monotonic()
        points, at = self._here.pop(caller, (self.size, now))
        points = min(self.size, points + (now - at) * self.per_second + back)
        taken = points >= cost
        points -= cost if taken else 0
        self._here[caller] = points, now
        if len(self._here) > KEPT:
            self._here.popitem(last=False)
        return Draught(taken, points)


def _away(error: Exception) -> bool:
    return isinstance(error, (RedisError, OSError, TimeoutError)) or wires.ended(error)
