"""While an embedded database is brought up to date its server lives, and says that it takes nothing yet."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from api import serving
from api.listening import bound_socket, unready
from domain.settings import Settings


async def test_until_it_is_done_everything_but_being_alive_is_refused_with_a_time_to_come_back() -> None:
    with contextlib.closing(bound_socket(Settings(CARELINE_PORT=0))) as bound:
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with httpx2.AsyncClient(base_url=url, timeout=10) as client, unready(bound):
            async with asyncio.timeout(10):
                while True:
                    with contextlib.suppress(httpx2.ConnectError):
                        live = await client.get("/health/live")
                        break
            assert (live.status_code, live.json()) == (200, {"status": "ok"})
            ready = await client.get("/health/ready")
            assert (ready.status_code, ready.json()["problems"]) == (503, {"schema": "migrating"})
            for answer in (
                await client.post("/graphql", json={"query": "{ viewer { role } }"}),
                await client.get("/"),
                await client.get("/files/1"),
            ):
                assert answer.status_code == 503
                assert answer.headers["Retry-After"] == "2"
                assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
        # Who connects now waits for the server that comes, and is not refused.
        _, writer = await asyncio.open_connection("127.0.0.1", bound.getsockname()[1])
        writer.close()


@pytest.mark.parametrize(
    ("missing", "told"), [(["0002_ledger"], 1), (["0001_initial", "0002_ledger"], 0), ([], 0)]
)
async def test_only_a_database_with_data_in_it_has_something_to_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: list[str], told: int
) -> None:
    happened: list[str] = []

    @contextlib.asynccontextmanager
    async def meanwhile() -> AsyncIterator[None]:
        happened.append("told")
        yield
        happened.append("over")

    async def pending(_: str) -> list[str]:
        return missing

    async def migrate(_: str) -> None:
        happened.append("migrated")

    monkeypatch.setattr(serving, "pending", pending)
    monkeypatch.setattr(serving, "migrate", migrate)
    settings = Settings(DATABASE_URL=f"sqlite:///{tmp_path}/careline.db")
    async with serving.opened(settings, meanwhile=meanwhile):
        pass
    assert happened == (["told", "migrated", "over"] if told else ["migrated"])
