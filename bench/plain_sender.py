"""Enqueues the plain side's messages, in a process of its own."""

import os

from bench.plain import send

if __name__ == "__main__":
    print("begins", flush=True)
    send(range(int(os.environ["BENCH_RUNS"])))
    print("sent", flush=True)
