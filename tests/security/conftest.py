"""Two filled workspaces on one database, and the real application in front of them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from api import app
from domain import workspaces
from domain.access import Principal, Role, system
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.conftest import House, build_house
from tests.security import surface
from tests.security.calls import valid
from tests.security.filling import an_id_of_each_type, fill, ids_of_nothing

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what is decided before the database is asked, or by statements that others try on both."""


class OwnTask(httpx2.ASGITransport):
    """Has each request in a task of its own, as a server does: what it enters is left with it."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await asyncio.create_task(super().handle_async_request(request))


@dataclass
class Caller:
    """One key, and the application it is shown to."""

    client: httpx2.AsyncClient
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def say(self, text: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, data and errors, without what the request cost."""
        response = await self.client.post(
            "/graphql",
            content=json.dumps(
                {"query": text, "variables": variables}
            ),  # in ASCII: it may be half a character
            headers={**self.headers, "Content-Type": "application/json"},
        )
        assert response.status_code in (200, 400, 401), (response.status_code, response.text)
        answer: dict[str, Any] = response.json()
        answer.pop("extensions", None)
        return answer

    async def call(self, operation: str, name: str, given: dict[str, Any], depth: int = 2) -> dict[str, Any]:
        """One root field with everything selected that needs no argument."""
        return await self.say(surface.document(operation, name, given, depth), **given)

    async def done(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """The payload of a mutation that must succeed."""
        answer = await self.call("mutation", name, given)
        assert "errors" not in answer, (name, answer["errors"])
        payload: dict[str, Any] = answer["data"][name]
        assert payload["__typename"] != "Refusal", (name, payload)
        return payload


@dataclass
class Place:
    """A workspace, the ids of what is in it, and a caller for each role."""

    house: House
    client: httpx2.AsyncClient
    ids: dict[str, str] = field(default_factory=ids_of_nothing)
    callers: dict[Role, Caller] = field(default_factory=dict)

    @property
    def owner(self) -> Caller:
        return self.callers[Role.OWNER]

    def valid(self, name: str) -> dict[str, Any]:
        return valid(name, self.ids)

    async def fill(self) -> None:
        await fill(self.house)
        self.ids = await an_id_of_each_type(self.house)

    async def caller(self, role: Role, **key: Any) -> Caller:
        """Somebody new with a key of their own; its scopes and the like as given."""
        made = await workspaces.create_key(system(self.house.id), name="key", role=role, **key)
        return Caller(self.client, made.secret)

    def principal(self, role: Role) -> Principal:
        return self.house.staff[role]


async def settle_in(client: httpx2.AsyncClient, name: str) -> Place:
    place = Place(await build_house(name), client)
    for role, principal in place.house.staff.items():
        place.callers[role] = await place.caller(role, user_id=principal.user_id)
    return place


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(DATABASE_URL=database, CARELINE_SECRET_KEY="s" * 32)
    application = app.create(settings, Vitals(settings))
    transport = OwnTask(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as client:
        yield client


@pytest.fixture
async def place(client: httpx2.AsyncClient) -> Place:
    """A filled workspace."""
    place = await settle_in(client, "Ours")
    await place.fill()
    return place


@pytest.fixture
async def stranger(client: httpx2.AsyncClient) -> Place:
    """Another filled workspace, of which nobody in `place` may learn anything."""
    stranger = await settle_in(client, "Theirs")
    await stranger.fill()
    return stranger
