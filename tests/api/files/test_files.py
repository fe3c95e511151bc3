"""Files over plain HTTP: who may send one, who may read it, and how large it may be."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from api import app
from api.ids import global_id, row_id
from domain import db, files, timekeeping, workspaces
from domain.access import Role, system
from domain.settings import Settings
from jobs.vitals import Vitals
from tests.conftest import House, build_house

LIMIT = 600_000


@pytest.fixture
async def client(database: str) -> AsyncIterator[httpx2.AsyncClient]:
    settings = Settings(DATABASE_URL=database, CARELINE_UPLOAD_LIMIT_BYTES=LIMIT)
    application = app.create(settings, Vitals(settings))
    transport = httpx2.ASGITransport(app=application)
    async with httpx2.AsyncClient(transport=transport, base_url="http://careline.test") as opened:
        yield opened


async def bearer(house: House, role: Role = Role.ADMIN) -> dict[str, str]:
    key = await workspaces.create_key(
        system(house.id), name=role.value, role=role, user_id=house.staff[role].user_id
    )
    return {"Authorization": f"Bearer {key.secret}"}


async def stored() -> tuple[int, int]:
    counted = [await db.value(f"SELECT COUNT(*) FROM {table}") for table in ("files", "file_chunks")]
    return counted[0], counted[1]


async def test_an_upload_is_given_back_byte_for_byte(house: House, client: httpx2.AsyncClient) -> None:
    headers = await bearer(house)
    data = bytes(range(256)) * 2000
    answer = await client.post(
        "/files", params={"name": "订单.csv"}, content=data, headers={**headers, "Content-Type": "text/csv"}
    )
    assert (answer.status_code, answer.json()["size"]) == (201, len(data))
    found = await client.get(f"/files/{answer.json()['fileId']}", headers=headers)
    assert (found.status_code, found.content) == (200, data)
    assert found.headers["content-type"].startswith("text/csv")
    assert found.headers["content-disposition"] == "attachment; filename*=UTF-8''%E8%AE%A2%E5%8D%95.csv"
    assert found.headers["x-content-type-options"] == "nosniff"


async def test_a_streamed_upload_over_the_limit_is_refused_and_leaves_nothing(
    house: House, client: httpx2.AsyncClient
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(7):
            yield b"x" * 100_000

    headers = await bearer(house)
    for content in (parts(), b"x" * (LIMIT + 1)):
        answer = await client.post("/files", content=content, headers=headers)
        assert answer.status_code == 413
        assert str(LIMIT) in answer.json()["error"]
        assert await stored() == (0, 0)
    assert (await client.post("/files", content=b"x" * LIMIT, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    ("params", "headers", "status"),
    [
        ({"name": "a\r\nSet-Cookie: b"}, {}, 400),
        ({"name": "x" * 256}, {}, 400),
        ({}, {"Content-Type": "no media type"}, 400),
        ({}, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_what_cannot_be_served_again_is_refused(
    house: House, client: httpx2.AsyncClient, params: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = await client.post(
        "/files", params=params, content=b"a", headers={**await bearer(house), **headers}
    )
    assert answer.status_code == status
    assert answer.json()["error"]
    assert await stored() == (0, 0)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer careline_a_b"}, {"Authorization": "x"}])
async def test_nobody_comes_in_without_a_key(
    house: House, client: httpx2.AsyncClient, headers: dict[str, Any]
) -> None:
    kept = await files.save(house.admin, "a", "text/csv", "report", b"a")
    for answer in (
        await client.post("/files", content=b"a", headers=headers),
        await client.get(f"/files/{global_id('File', kept.id)}", headers=headers),
    ):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert await stored() == (1, 1)


@pytest.mark.parametrize("role", list(Role))
async def test_uploads_are_for_those_who_import(house: House, client: httpx2.AsyncClient, role: Role) -> None:
    may = role not in (Role.TEAM_LEAD, Role.EXECUTOR, Role.SUPPORT)
    headers = await bearer(house, role)
    answer = await client.post("/files", content=b"a", headers=headers)
    assert answer.status_code == (201 if may else 403)
    upload = await files.save(house.admin, "a", "text/csv", "upload", b"a")
    report = await files.save(house.admin, "a", "text/html", "report", b"<p>")
    # An analyst brings files in, and sees what is personal in them only masked.
    for kept, allowed in ((upload, may and role is not Role.ANALYST), (report, True)):
        found = await client.get(f"/files/{global_id('File', kept.id)}", headers=headers)
        assert found.status_code == (200 if allowed else 404), kept.purpose


async def test_what_is_not_there_for_a_caller_is_not_found(house: House, client: httpx2.AsyncClient) -> None:
    headers = await bearer(house)
    other = await build_house("Other")
    theirs = await files.save(other.admin, "a", "text/csv", "report", b"a")
    unfinished = (await files.begin(house.admin, "a", "text/csv", "report")).file
    expired = await files.save(
        house.admin,
        "a",
        "text/csv",
        "report",
        b"a",
        expires_at=timekeeping.machine_now() - timedelta(seconds=1),
    )
    ids = [global_id("File", file.id) for file in (theirs, unfinished, expired)]
    for file_id in [*ids, global_id("File", 10**9), global_id("Customer", theirs.id), "1", "%00"]:
        answer = await client.get(f"/files/{file_id}", headers=headers)
        assert (answer.status_code, answer.json()) == (404, {"error": "no such file"}), file_id


async def test_an_uploaded_file_is_of_its_callers_workspace(house: House, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/files", content=b"abc", headers=await bearer(house))
    file = await files.get(house.owner, row_id("File", answer.json()["fileId"]))
    assert (file.workspace_id, file.purpose, file.size) == (house.id, "upload", 3)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("where", ["authenticate", "begin_or_get"])
async def test_a_database_that_is_away_is_said_so_without_a_traceback(
    house: House, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, method: str, where: str
) -> None:
    headers = await bearer(house)

    async def away(*_: Any, **__: Any) -> None:
        raise ConnectionResetError("10.0.0.7 has gone")

    if where == "authenticate":
        monkeypatch.setattr(workspaces, "authenticate", away)
    else:
        monkeypatch.setattr(files, "begin" if method == "POST" else "get", away)
    path = "/files" if method == "POST" else f"/files/{global_id('File', 1)}"
    answer = await client.request(method, path, content=b"a,b\n", headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"error": "the database cannot serve this just now; try again in a moment"}
    assert await stored() == (0, 0)


async def test_what_is_not_the_database_s_failure_is_not_called_so(
    house: House, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await bearer(house)

    async def wrong(*_: Any, **__: Any) -> None:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(files, "begin", wrong)
    with pytest.raises(KeyError):
        await client.post("/files", content=b"a,b\n", headers=headers)
