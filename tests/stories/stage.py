"""A whole Careline in one process: application, workers and clock, spoken to over GraphQL only."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx2

from api import app
from domain import feeds, runs, segments, workspaces
from domain.access import Role, system
from domain.settings import Settings
from jobs.vitals import Vitals
from jobs.worker import working
from tests.conftest import House, build_house

WAIT_SECONDS = 60


def shanghai(local: str) -> datetime:
    """An instant by its wall time in the stage's zone."""
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")


class Asker:
    """One caller: a member of staff with an API key of their own."""

    def __init__(self, client: httpx2.AsyncClient, key: str) -> None:
        self._client = client
        self.key = key

    async def response(self, document: str, **variables: Any) -> httpx2.Response:
        return await self._client.post(
            "/graphql",
            json={"query": document, "variables": variables},
            headers={"Authorization": f"Bearer {self.key}"},
        )

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation; fails on errors."""
        body = (await self.response(document, **variables)).json()
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    async def do(self, document: str, **variables: Any) -> dict[str, Any]:
        """The payload of a one-field mutation; fails on a refusal. Ask for `__typename` in it."""
        (payload,) = (await self.ask(document, **variables)).values()
        assert payload["__typename"] != "Refusal", payload
        return dict(payload)

    async def refused(self, document: str, **variables: Any) -> list[dict[str, Any]]:
        """The reasons of a refusal; fails on success. Select `... on Refusal { userErrors { code message field } }`."""
        (payload,) = (await self.ask(document, **variables)).values()
        assert payload["__typename"] == "Refusal", payload
        reasons: list[dict[str, Any]] = payload["userErrors"]
        return reasons

    async def finish(self, run_id: str) -> dict[str, Any]:
        """Wait for a run to end well."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                data = await self.ask(
                    "query ($id: ID!) { run(id: $id) { id kind state worker errorCode errors { code message } "
                    "result { name value } progress { done total unit } } }",
                    id=run_id,
                )
                run: dict[str, Any] = data["run"]
                if run["state"] in ENDED:
                    assert run["state"] == "SUCCEEDED", run
                    return run
                await asyncio.sleep(0.02)

    async def upload(self, name: str, content: bytes) -> str:
        answer = await self._client.post(
            "/files",
            params={"name": name},
            content=content,
            headers={"Authorization": f"Bearer {self.key}"},
        )
        assert answer.status_code < 300, answer.text
        return str(answer.json()["fileId"])


@dataclass
class Stage:
    """A sandbox workspace with staff in every role, and a running Careline around it."""

    house: House
    client: httpx2.AsyncClient
    askers: dict[Role, Asker] = field(default_factory=dict)

    def __getitem__(self, role: Role) -> Asker:
        return self.askers[role]

    @property
    def owner(self) -> Asker:
        return self.askers[Role.OWNER]

    @property
    def executor(self) -> Asker:
        return self.askers[Role.EXECUTOR]

    async def advance(self, to: datetime) -> dict[str, Any]:
        """Turn the clock through the API, and wait until it stands there."""
        done = await self.owner.do(
            "mutation ($to: DateTime!) { workspaceClockAdvance(to: $to) { __typename "
            "... on WorkspaceClockAdvancePayload { run { id } } ... on Refusal { userErrors { message } } } }",
            to=to.isoformat(),
        )
        return await self.owner.finish(done["run"]["id"])

    async def settle(self) -> None:
        """Wait until everything asked for so far has been reacted to, without turning the clock."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (
                await feeds.unnumbered()
                or await feeds.unreacted()
                or await segments.unfollowed(self.house.id)
                or await runs.unfinished(self.house.id)
            ):
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def staged(database_url: str, clock_at: datetime, currency: str = "CNY") -> AsyncIterator[Stage]:
    """The database must be open."""
    settings = Settings(
        DATABASE_URL=database_url, CARELINE_SECRET_KEY="s" * 32, CARELINE_WEBHOOK_ALLOWED="127.0.0.1"
    )
    house = await build_house(clock_at=clock_at, currency=currency)
    async with working(settings) as clock:
        application = app.create(settings, Vitals(settings, clock))
        transport = httpx2.ASGITransport(app=application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as client:
            stage = Stage(house, client)
            for role, principal in house.staff.items():
                key = await workspaces.create_key(
                    system(house.id), name=role.value, role=role, user_id=principal.user_id
                )
                stage.askers[role] = Asker(client, key.secret)
            yield stage
