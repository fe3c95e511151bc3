"""Messages that nobody ordered: doubled, in any order, for runs that are running, ended, or taken from somebody."""

import random

import dramatiq

from jobs.broker import redis_broker
from tests.faults.town import Town
from tests.servers.process import ServerError, wait_until

WHICH = {
    "running": "state IN ('RUNNING', 'QUEUED', 'SUCCEEDED')",
    "fenced": "errors::text LIKE '%LOST%'",
}
RINGS = 60


def ring(town: Town, chance: random.Random, which: str) -> str | None:
    """Ring for up to so many runs, each two or three times; proved by the workers' taking every message."""
    assert town.valkey is not None
    found = town.look(
        f"SELECT id, state FROM runs WHERE {WHICH[which]} "
        f"ORDER BY state = 'RUNNING' DESC, id DESC LIMIT {RINGS}"
    )
    ids = [run_id for run_id, _ in found for _ in range(chance.randint(2, 3))]
    if not ids:
        return None
    chance.shuffle(ids)
    _send(town.valkey.url, ids)
    try:
        wait_until(
            lambda: town.valkey is not None and town.valkey.length("dramatiq:default") == 0, "taken", 15
        )
    except ServerError:
        return None
    return f"{len(ids)} messages for {len(found)} runs were taken"


def _send(url: str, ids: list[int]) -> None:
    broker = redis_broker(url)
    broker.declare_queue("default")
    for run_id in ids:
        broker.enqueue(
            dramatiq.Message(queue_name="default", actor_name="run", args=(run_id,), kwargs={}, options={})
        )
    broker.close()
