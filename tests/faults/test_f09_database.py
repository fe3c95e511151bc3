"""F9, F10, F12, F13, F28: PostgreSQL killed, its backends ended, slow; an API killed; fifty at once."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.faults.asking import orders, send
from tests.faults.load import Client
from tests.faults.town import Town

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def going_on(client: Client, prefix: str, until: asyncio.Event) -> int:
    number = 0
    while not until.is_set():
        await client.order(f"{prefix}-{number}")
        number += 1
    return number


@pytest.mark.parametrize("how", ["killed", "every_backend_ended"])
async def test_f09_f10_the_database_goes_under_load(town: Town, client: Client, how: str) -> None:
    assert town.postgres is not None
    until = asyncio.Event()
    calling = [asyncio.create_task(going_on(client, f"{how}-{n}", until)) for n in range(4)]
    await asyncio.sleep(0.5)
    if how == "killed":
        await asyncio.to_thread(town.postgres.kill9)
        answer = await asyncio.to_thread(send, town, f"{how}x")
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE", answer.text
        await asyncio.to_thread(town.postgres.start)
    else:
        ended = town.postgres.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        assert int(ended) > 0
    began, done = time.monotonic(), client._log.answered
    healed_in = {"killed": 5, "every_backend_ended": 2}[how]
    while client._log.answered < done + 10:
        assert time.monotonic() - began < healed_in + 1, client._log.unanswered  # and ten more answers
        await asyncio.sleep(0.02)
    until.set()
    counts = await asyncio.gather(*calling)
    assert client._log.wrong == []
    town.until(
        f"SELECT count(*) FROM orders WHERE external_id LIKE '{how}-%'",
        lambda rows: rows[0][0] == sum(counts),
    )
    assert set(orders(town, f"{how}-")) == client._log.orders


@pytest.mark.parametrize("how", ["slow", "silent", "used_up"])
def test_f12_a_database_that_is_slow_or_silent_is_never_waited_for_without_end(town: Town, how: str) -> None:
    assert town.to_postgres is not None
    asked = 1
    if how == "slow":
        town.to_postgres.delay = 0.2
    else:
        town.to_postgres.held = True
        asked = 60 if how == "used_up" else 1  # more than its pool has connections
    with ThreadPoolExecutor(asked + 1) as callers:
        asking = [callers.submit(timed, town, f"f12-{how}-{number}") for number in range(asked)]
        time.sleep(0.3)
        live = httpx2.get(f"{town.urls[0]}/health/live", timeout=2)
        answers = [each.result() for each in asking]
    assert live.status_code == 200
    for answer, took in answers:
        assert "Internal" not in answer.text
        assert took <= 5 + 1, answer.text  # and what the machine makes of it
        if how != "slow":
            assert '"UNAVAILABLE"' in answer.text
    began = time.monotonic()
    town.to_postgres.heal()
    while "data" not in (answer := send(town, f"f12-{how}-after").json()) or answer.get("errors"):
        assert time.monotonic() - began < 5 + 1, answer
        time.sleep(0.05)


def timed(town: Town, key: str) -> tuple[httpx2.Response, float]:
    began = time.monotonic()
    answer = send(town, key, 30)
    return answer, time.monotonic() - began


def test_f13_an_api_killed_in_a_mutation_has_done_all_of_it_or_nothing(town: Town) -> None:
    place = town.serves[0]
    for number in range(6):
        key = f"f13-{number}"
        town.until("SELECT 1", lambda _: place.now.ended is None)

        async def struck(key: str = key, number: int = number) -> None:
            asking = asyncio.create_task(asyncio.to_thread(send, town, key))
            await asyncio.sleep(0.005 * number)
            place.now.kill9()
            await asyncio.gather(asking, return_exceptions=True)

        asyncio.run(struck())
        town.revive()
        ((rows, keys, lines),) = town.look(
            f"SELECT (SELECT count(*) FROM orders WHERE external_id = '{key}'), "
            f"(SELECT count(*) FROM idempotency_keys WHERE key = '{key}'), "
            "(SELECT count(*) FROM journal j JOIN orders o ON o.id = j.subject_id AND j.subject = 'order' "
            f"WHERE o.external_id = '{key}' AND j.name = 'order.recorded')"
        )
        assert (rows, keys, lines) in ((0, 0, 0), (1, 1, 1))


def test_f28_fifty_at_once_with_one_key_are_one(town: Town) -> None:
    async def fifty() -> list[httpx2.Response]:
        return await asyncio.gather(*(asyncio.to_thread(send, town, "f28") for _ in range(50)))

    answers = [answer.json() for answer in asyncio.run(fifty())]
    assert not any("errors" in answer for answer in answers), answers
    assert len({json.dumps(answer["data"]) for answer in answers}) == 1, answers  # not what each one paid
    assert orders(town, "f28") == ["f28"]
