"""F20, F23, F24: an embedded server on a full disk, killed in its writes, and a follower cut off again and again."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator

import pytest

from tests.faults.chaos import Chaos
from tests.faults.checker import doubled, missing, settle, unseen
from tests.faults.load import Client, Load, Log
from tests.faults.town import Town, embedded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
KILLS = 12


@pytest.fixture
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with embedded(tmp_path_factory.mktemp("alone")) as town:
        yield town


def test_f20_a_full_disk_is_said_so_and_tears_nothing(town: Town) -> None:
    load = Load(town, 20, clients=2, followers=0)
    load.start()
    assert Chaos(town, 20).fill_disk()
    done = load.log.answered
    end = time.monotonic() + 30
    while load.log.answered < done + 10:  # it works again
        assert time.monotonic() < end, load.log.unanswered
        time.sleep(0.05)
    load.end()
    assert settle(town, 60) == {}
    load.leave()
    assert load.log.unanswered["UNAVAILABLE"]
    assert (load.log.wrong, missing(town, load), doubled(town)) == ([], {}, {})


async def test_f23_killed_again_and_again_in_its_writes_it_keeps_what_it_said(town: Town) -> None:
    client = Client("F", town, Log())
    until = asyncio.Event()

    async def write(name: str) -> None:
        number = 0
        while not until.is_set():
            await client.order(f"{name}-{number}")
            number += 1

    writing = [asyncio.create_task(write(f"f23-{number}")) for number in range(4)]
    for kill in range(KILLS):
        wanted = client._log.answered + 3
        while client._log.answered < wanted:
            await asyncio.sleep(0.003 * (kill + 1))
        town.serves[0].now.kill9()
        town.serves[0].start()
        await asyncio.to_thread(town.serves[0].ready)
    until.set()
    await asyncio.gather(*writing)
    town.serves[0].now.kill9()
    assert client._log.wrong == []
    assert {name for (name,) in town.look("SELECT external_id FROM orders")} == client._log.orders
    with sqlite3.connect(town.database_url.removeprefix("sqlite:///")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_f24_a_follower_cut_off_twenty_times_misses_nothing(town: Town) -> None:
    load = Load(town, 24, clients=2, followers=2)
    load.start()
    front = town.serves[0].front
    assert front is not None
    for _ in range(20):
        seen = min(len(follower.places) for follower in load.followers)
        end = time.monotonic() + 15
        while min(len(follower.places) for follower in load.followers) == seen and time.monotonic() < end:
            time.sleep(0.02)
        assert front.cut()
    load.end()
    assert settle(town, 60) == {}
    heads = dict(town.look("SELECT subject, count(*) FROM journal GROUP BY subject"))
    load.followed(lambda follower: heads[follower.subject])
    assert min(follower.comings for follower in load.followers) > 10
    assert unseen(town, load) == []
