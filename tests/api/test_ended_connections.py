"""On the loop that serves, a connection that ends under a request is a lost connection and nothing else."""

import asyncio
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import pytest

from api import loop
from api.context import Context
from api.limits import Buckets, Terms, buckets
from api.schema import schema
from domain import db, wires
from tests.conftest import House, build_house
from tests.faults.proxy import Proxy
from tests.servers import Valkey

pytest.importorskip("uvloop")
pytestmark = pytest.mark.one_path
TEAMS = "{ teams { name } }"
ADD = 'mutation { teamCreate(input: {name: "Other"}) { __typename } }'


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": loop.new}


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def test_what_is_written_to_an_ended_connection_is_known_by_its_error() -> None:
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.transport.abort()
    await asyncio.sleep(0)
    with pytest.raises(Exception, match="closed") as found:
        for _ in range(100):
            writer.write(b"x")
            await asyncio.sleep(0)
    assert wires.ended(found.value)
    assert db.failure_of(found.value) is db.Failure.AWAY
    assert not wires.ended(RuntimeError("dictionary changed size during iteration"))
    server.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_bucket_whose_connection_ends_is_kept_here_and_shared_again(
    house: House, valkey_server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "BREAK_SECONDS", 0.0)
    valkey_server.start()
    with Proxy(port_of(valkey_server.url)) as proxy:
        shared = Buckets(10_000, 0.001, f"redis://127.0.0.1:{proxy.port}/0")
        terms = Terms(buckets=shared)
        for _ in range(10):
            await answered(house, terms)
            assert proxy.cut() > 0
            await asyncio.sleep(0.01)  # the loop sees the end, the client has not looked yet
            await asyncio.gather(*(answered(house, terms) for _ in range(8)))
            await answered(house, terms)  # and it has a connection again
        await shared.close()


async def answered(house: House, terms: Terms) -> None:
    result = await schema.execute(TEAMS, context_value=Context(house.owner, terms=terms))
    assert result.errors is None, result.errors


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_request_whose_database_connection_ends_says_unavailable_and_never_internal(
    database_url: str,
) -> None:
    said: Counter[str] = Counter()
    port = port_of(database_url)
    with Proxy(port) as proxy:
        async with db.open_database(database_url.replace(f":{port}/", f":{proxy.port}/")):
            db.enter_everywhere()
            house = await build_house()
            done = asyncio.Event()

            async def ask(document: str) -> None:
                while not done.is_set():
                    result = await schema.execute(document, context_value=Context(house.owner))
                    for error in result.errors or ():
                        said[(error.extensions or {})["code"]] += 1
                    said["answered"] += not result.errors
                    await asyncio.sleep(0.001)

            asking = [asyncio.ensure_future(ask(document)) for document in (TEAMS, ADD) * 6]
            for number in range(30):
                await asyncio.sleep(0.01 if number % 3 else 0.1)
                proxy.cut()
            done.set()
            await asyncio.gather(*asking)
            result = await schema.execute(TEAMS, context_value=Context(house.owner))
            assert result.errors is None
    assert set(said) == {"answered", "UNAVAILABLE"}, said
