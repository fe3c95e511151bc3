"""The other side of the comparison: a plain Dramatiq actor that does nothing, over Redis, and its worker."""

import itertools
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import dramatiq
from dramatiq.brokers.redis import RedisBroker

THREADS = 8
LOOK_MS = 100
_done = itertools.count(1)
_wanted = int(os.environ.get("BENCH_RUNS", "0"))

# As Dramatiq comes: its default middleware (AgeLimit, TimeLimit, ShutdownNotifications, Callbacks,
# Pipelines, Retries), and its default client.
broker = RedisBroker(url=os.environ.get("REDIS_URL", "redis://"))  # type: ignore[no-untyped-call]
dramatiq.set_broker(broker)


@dramatiq.actor
def nothing(number: int) -> None:
    """What a message costs that asks for nothing."""
    if next(_done) == _wanted:
        sys.stdout.write("done\n")
        sys.stdout.flush()


def send(numbers: range) -> None:
    """Enqueue one message for each number, over eight connections."""
    with ThreadPoolExecutor(THREADS) as pool:
        for part in [pool.submit(_send, numbers[start::THREADS]) for start in range(THREADS)]:
            part.result()


def _send(numbers: range) -> None:
    for number in numbers:
        nothing.send(number)


if __name__ == "__main__":
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=LOOK_MS)
    worker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    stop.wait()
    worker.stop()
