"""F25, F26: subscribers that stop reading, operations broken off as they begin, and callers who hang up."""

import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.faults.asking import send
from tests.faults.test_f01_workers import queued
from tests.faults.town import Town
from tests.faults.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DROPPED_SECONDS = 40
GROWTH_KIB = 5 * 1024
SLOWER = 10
"""So many times as long as before the others may wait, at the worst: the twenty streams are work too."""
STREAMS = 20
CALLERS = 16  # as many as its pool has connections
ORDER = """mutation ($key: String!) { orderRecord(idempotencyKey: $key, input: {externalId: $key,
  customerExternalId: "C-25", orderedAt: "2025-02-01T10:00:00+08:00",
  amount: {amount: "1.00", currency: "CNY"}}) { __typename } }"""
"""One text for all orders: a server keeps the last few hundred texts, which is not what is measured here."""
LONG = (
    "subscription { runChanged { cursor change run { " + " ".join(f"a{n}: id" for n in range(25)) + " } } }"
)


def port_of(town: Town) -> int:
    return int(town.serves[0].environment["CARELINE_PORT"])


def figure(town: Town, name: str) -> float:
    text = httpx2.get(f"http://127.0.0.1:{port_of(town)}/metrics", timeout=10).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    assert found, text
    return float(found[1])


def resident_kib(town: Town) -> int:
    status = Path(f"/proc/{town.serves[0].now.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100]


def test_f25_who_stops_reading_is_dropped_and_the_others_go_on(town: Town) -> None:
    calm: list[float] = []
    while len(calm) < 200:
        calm += work(town, f"f25-calm{len(calm)}")
    idle, stalled = Wire(town, port_of(town)), Wire(town, port_of(town))
    idle.subscribe("1", "subscription { taskChanged { cursor } }")
    for number in range(STREAMS):
        stalled.subscribe(f"{number}", LONG)
    while figure(town, "careline_subscribers") < STREAMS + 1:
        time.sleep(0.1)
    before, began = resident_kib(town), time.monotonic()
    busy: list[float] = []
    while figure(town, "careline_subscribers"):
        assert time.monotonic() - began < DROPPED_SECONDS + 5, "a stream of who does not read goes on"
        busy += work(town, f"f25-{len(busy)}")
    took, grown = time.monotonic() - began, resident_kib(town) - before
    print(f"dropped after {took:.1f} s, {grown} KiB more; p99 {p99(calm):.3f} s, then {p99(busy):.3f} s")
    assert grown <= GROWTH_KIB
    assert p99(busy) <= SLOWER * p99(calm)
    for wire in (idle, stalled):
        wire.close()


def work(town: Town, name: str) -> list[float]:
    """Many lines for whoever follows the runs, and how long some mutations take meanwhile."""
    queued(town, *['{"steps": 20, "pause": 0.05}'] * 4)
    took = []
    with httpx2.Client(headers={"Authorization": f"Bearer {town.key}"}, timeout=20) as caller:
        for number in range(20):
            began = time.monotonic()
            given = {"query": ORDER, "variables": {"key": f"{name}-{number}"}}
            answer = caller.post(f"http://127.0.0.1:{port_of(town)}/graphql", json=given).json()
            took.append(time.monotonic() - began)
            assert answer["data"]["orderRecord"]["__typename"] == "OrderRecordPayload", answer
    return took


def test_f26_what_is_broken_off_leaves_the_pool_whole(town: Town) -> None:
    query = (
        "{ tasks(first: 20) { nodes { title customer { externalId } } } runs(first: 20) { nodes { kind } } }"
    )
    wires = [Wire(town, port_of(town)) for _ in range(15)]
    for number in range(20):
        for wire in wires:
            wire.subscribe(f"{number}", LONG if number % 4 == 0 else query)
            wire.complete(f"{number}")
    for wire in wires:
        wire.close()
    document = (
        'mutation {{ orderRecord(idempotencyKey: "{0}", input: {{externalId: "{0}", '
        'customerExternalId: "C-{0}", orderedAt: "2025-02-01T10:00:00+08:00", '
        'amount: {{amount: "1.00", currency: "CNY"}}}}) {{ __typename }} }}'
    )
    for number in range(300):
        hang_up(town, document.format(f"f26-{number}").replace('"', '\\"'), 0.0005 * (number % 40))

    end = time.monotonic() + 20
    while (used := figure(town, 'careline_pool_connections{use="used"}')) > 1:
        assert time.monotonic() < end, f"{used} connections never come back"
        time.sleep(0.1)
    assert figure(town, "careline_subscribers") == 0
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(lambda number: send(town, f"f26-after-{number}"), range(CALLERS)))
    assert ["errors" in answer.json() for answer in answers] == [False] * CALLERS
    twice = "SELECT external_id FROM orders WHERE external_id LIKE 'f26-%' GROUP BY 1 HAVING count(*) > 1"
    assert town.look(twice) == []


def hang_up(town: Town, query: str, after: float) -> None:
    """Send a request, and be gone some moments later."""
    body = f'{{"query": "{query}"}}'.encode()
    with socket.create_connection(("127.0.0.1", port_of(town)), 5) as connection:
        connection.sendall(
            b"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + f"Authorization: Bearer {town.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        time.sleep(after)
