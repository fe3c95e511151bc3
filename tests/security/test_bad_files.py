"""A file that cannot be imported changes nothing, and its run says where the fault is."""

from typing import Any

from api.ids import row_id
from domain.runs import Run
from tests.security.conftest import Place, on_sqlite
from tests.security.filling import perform
from tests.security.rows import differences, snapshot
from tests.security.test_roles import codes

HEADER = "order_id,customer_id,ordered_at,amount\n"
ROW = "N-1,C-1,2025-03-01,10\n"
RUN = """query ($id: ID!) { run(id: $id) { state errorCode errors { code message }
  rowErrors { totalCount nodes { line column code } } } }"""
RECORD = {
    *("runs", "run_attempts", "journal", "files", "file_chunks", "row_errors", "feeds", "import_reports"),
}
"""Tables in which an import that fails leaves its trace; in no others anything may stir."""


async def imported(place: Place, content: bytes, policy: str) -> dict[str, Any]:
    sent = await place.client.post("/files?name=o.csv", content=content, headers=place.owner.headers)
    assert sent.status_code == 201, sent.text
    given = {"input": {"fileId": sent.json()["fileId"], "policy": policy}}
    run = (await place.owner.done("ordersImport", given))["run"]["id"]
    await perform(await Run.get(id=row_id("Run", run)))
    found: dict[str, Any] = (await place.owner.say(RUN, id=run))["data"]["run"]
    return found


NO_IMPORTS = [
    (b"", "IMPORT_EMPTY", "line 1"),
    (b"order,customer_id,ordered_at,amount\n" + ROW.encode(), "IMPORT_HEADER", "line 1, column 1"),
    (b"order_id,customer_id,amount\n", "IMPORT_HEADER", "ordered_at"),
    ((HEADER + ROW).encode("utf-16"), "IMPORT_ENCODING", "line 1, byte 1"),
    (HEADER.encode() + b"N-1,C-\xe9,2025-03-01,10\n", "IMPORT_ENCODING", "line 2, byte 7"),
    (HEADER.encode() + b'"N-1,C-1,2025-03-01,10\n', "IMPORT_FORMAT", "line 2"),
    (b"\x00\x01\x02PK", "IMPORT_HEADER", "line 1, column 1"),
]
"""Contents, and how their import fails: with which code, naming which place."""


async def test_a_file_that_is_no_import_fails_as_a_whole(place: Place) -> None:
    before = await snapshot()
    for content, code, named in NO_IMPORTS:
        run = await imported(place, content, "REJECT_FAILED_ROWS")
        assert (run["state"], run["errorCode"]) == ("FAILED", code), content
        (error,) = run["errors"]
        assert error["code"] == code
        assert named in error["message"], error
    assert set(differences(before, await snapshot())) <= RECORD


BAD_ROWS = [
    ("N-1,C-1,2025-03-01,10\nN-1,C-1,2025-03-01,11\n", 3, "order_id", "DUPLICATE"),
    ("N-1,C-1,2025-03-01,-10\n", 2, "amount", "INVALID"),
    ("N-1,C-1,2025-03-01T10:00:00,10\n", 2, "ordered_at", "INVALID"),
    ("N-1,C-1,2025-02-30,10\n", 2, "ordered_at", "INVALID"),
    ("N-1,,2025-03-01,10\n", 2, "customer_id", "REQUIRED"),
    ("N-1,C-1,2025-03-01,1e9\n", 2, "amount", "INVALID"),
    ("N-1,C-1,2025-03-01,99999999999999999\n", 2, "amount", "INVALID"),
    (f"{'x' * 10_000},C-1,2025-03-01,10\n", 2, "order_id", "INVALID"),
    ("N\x00-1,C-1,2025-03-01,10\n", 2, "order_id", "INVALID"),
    ("N-1,C-1\n", 2, None, "INVALID"),
]


async def test_a_row_that_will_not_do_is_named_and_takes_the_file_with_it_if_asked(place: Place) -> None:
    before = await snapshot()
    for rows, line, column, code in BAD_ROWS:
        run = await imported(place, (HEADER + rows).encode(), "REJECT_EVERYTHING")
        assert (run["state"], run["errorCode"]) == ("FAILED", "IMPORT_REJECTED"), rows
        named = {"line": line, "column": column, "code": code}
        assert run["rowErrors"] == {"totalCount": 1, "nodes": [named]}, rows
    assert set(differences(before, await snapshot())) <= RECORD


@on_sqlite
async def test_what_is_no_upload_is_not_taken(place: Place) -> None:
    before = await snapshot()
    headers = place.owner.headers
    for path, more in (
        ("/files?name=a%00b", {}),
        ("/files?name=" + "x" * 256, {}),
        ("/files", {"content-type": "x"}),
    ):
        answer = await place.client.post(path, content=b"a", headers={**headers, **more})
        assert answer.status_code == 400, path
        assert answer.json()["error"]
    form = {"content-type": "multipart/form-data; boundary=x"}
    assert (await place.client.post("/files", content=b"a", headers={**headers, **form})).status_code == 415
    for name in ("nonsense", "VXNlcjox", "%00", "..%2F..%2Fetc", "x" * 5000):
        assert (await place.client.get(f"/files/{name}", headers=headers)).status_code == 404, name
    assert differences(before, await snapshot()) == {}


@on_sqlite
async def test_what_is_no_request_is_refused_with_a_code(place: Place) -> None:
    before = await snapshot()
    headers = {**place.owner.headers, "Content-Type": "application/json"}
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b'{"query": 1}',
        b'{"query": "{ viewer { role } }", "variables": [1]}',
        b'{"query": "{ viewer { role } }", "variables": {"a": 1' + b"0" * 400 + b"}}",
        b'{"query": "{ viewer { role } }", "variables": {"a": NaN}}',
        b'{"query": "\xff"}',
        b'{"query": "{ viewer { role }"}',
        b'{"query": "mutation { nothing }"}',
        b"[" * 100_000,
    ):
        answer = await place.client.post("/graphql", content=body, headers=headers)
        assert answer.status_code in (200, 400), (body[:60], answer.status_code)
        assert set(codes(answer.json())) == {"BAD_REQUEST"}, (body[:60], answer.text)
        assert "data" not in answer.json() or answer.json()["data"] is None
    assert differences(before, await snapshot()) == {}
