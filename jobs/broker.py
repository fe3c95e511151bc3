"""The brokers that carry doorbells: one inside the process, and Redis where there is one.

A message holds a run's id, or the name of a timer, and nothing else: no delay, no retry, no result.
What a worker finds by itself it rings for on its own inner broker; so all work runs in a Dramatiq
actor, with Redis or without.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from redis.backoff import NoBackoff
from redis.retry import Retry

from domain.runs import QUEUES

KEPT_DEAD = 100
BREAK_SECONDS = 2.0
log = structlog.get_logger(__name__)

Body = Callable[..., Coroutine[Any, Any, None]]


def inner_broker() -> dramatiq.Broker:
    """A broker of this process alone. Dead letters are bounded: nothing is ever read from them."""
    broker = StubBroker(middleware=[])
    dead: Any = defaultdict(lambda: deque(maxlen=KEPT_DEAD))
    broker.dead_letters_by_queue = dead
    return broker


def redis_broker(url: str) -> dramatiq.Broker:
    """A broker over Redis that gives up at once when Redis does not answer."""
    client = redis.Redis.from_url(
        url, socket_timeout=1.0, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)
    )
    # Maintenance clears the acknowledgements of workers that died; what they held is in the ledger.
    broker: dramatiq.Broker = RedisBroker(client=client, middleware=[], maintenance_chance=10_000)  # type: ignore[no-untyped-call]
    return broker


class BrokerAway(Exception):
    """Redis does not answer; the message names it without its password."""


def check_redis(url: str, seconds: float = 2.0) -> None:
    """Raises `BrokerAway` when Redis does not answer."""
    patience = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience)
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        place = url.rpartition("@")[2].removeprefix("redis://")
        raise BrokerAway(f"cannot reach Redis at {place}: {error}") from error
    finally:
        client.close()


class Bell:
    """Rings for one broker: declares its actors, and sends them messages off the event loop."""

    def __init__(self, broker: dramatiq.Broker, run: Body, due: Body) -> None:
        self.broker = broker
        for queue in QUEUES:
            broker.declare_queue(queue)
        broker.delay_queues.clear()  # nothing is ever delayed in a broker, so no thread need look there
        declare: Any = dramatiq.actor
        self._run = declare(broker=broker, actor_name="run", queue_name="default")(run)
        self._due = declare(broker=broker, actor_name="due", queue_name="timers")(due)
        self._broken_until = 0.0
        self.away = False
        """Whether the last message could not be sent."""

    @property
    def answers(self) -> bool:
        """Whether the broker took the last message, or it is time to try it again."""
        return time.monotonic() >= self._broken_until

    async def run(self, run_id: int, queue: str) -> bool:
        """Ring for a run; whether the broker took it."""
        return await self._send(self._run.message(run_id).copy(queue_name=queue))

    async def due(self, kind: str) -> bool:
        """Ring for a kind of timer."""
        return await self._send(self._due.message(kind))

    async def _send(self, message: dramatiq.Message[Any]) -> bool:
        if not self.answers:
            return False
        try:
            if isinstance(self.broker, StubBroker):
                self.broker.enqueue(message)  # a queue in memory: it never waits
            else:
                await asyncio.to_thread(self.broker.enqueue, message)
        except (redis.RedisError, dramatiq.errors.BrokerConnectionError, OSError) as error:
            # A breaker: while Redis is away nobody waits for it again and again.
            self._broken_until = time.monotonic() + BREAK_SECONDS
            self.away = True
            log.warning("broker_away", error=type(error).__name__)
            return False
        self.away = False
        return True
