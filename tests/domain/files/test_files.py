"""Files: whole or not there."""

import hashlib
from datetime import timedelta

import pytest

from domain import db, files, timekeeping
from domain.errors import Invalid, NotFound
from domain.files import CHUNK, File
from domain.journal import JournalLine
from tests.conftest import House, build_house


async def whole(file: File, offset: int = 0) -> bytes:
    return b"".join([part async for part in files.read(file, offset)])


async def chunks() -> int:
    return int(await db.value("SELECT COUNT(*) FROM file_chunks"))


async def test_a_file_is_given_back_byte_for_byte(house: House) -> None:
    data = bytes(range(256)) * 3000  # 768,000 bytes: two whole pieces and a part
    upload = await files.begin(house.admin, "orders.csv", "text/csv; charset=utf-8", "import")
    for start in range(0, len(data), 100_001):
        await files.append(upload, data[start : start + 100_001])
    file = await files.finish(upload)
    assert (file.size, file.sha256, file.complete) == (768_000, hashlib.sha256(data).hexdigest(), True)
    assert await chunks() == 3
    found = await files.get(house.admin, file.id)
    assert await whole(found) == data
    for offset in (1, CHUNK - 1, CHUNK, CHUNK + 1, 767_999, 768_000):
        assert await whole(found, offset) == data[offset:]
    line = await JournalLine.get(name="file.stored")
    assert (line.subject_id, line.data) == (file.id, {"purpose": "import", "size": 768_000})


async def test_an_unfinished_upload_is_never_readable(house: House) -> None:
    upload = await files.begin(house.admin, "a", "text/csv", "import")
    await files.append(upload, b"x" * (CHUNK + 1))
    with pytest.raises(NotFound):
        await files.get(house.admin, upload.file.id)


async def test_a_file_over_the_limit_is_refused_and_leaves_nothing(house: House) -> None:
    upload = await files.begin(house.admin, "a", "text/csv", "import", limit=CHUNK + 10)
    await files.append(upload, b"x" * (CHUNK + 10))
    with pytest.raises(Invalid, match=f"larger than {CHUNK + 10} bytes"):
        await files.append(upload, b"x")
    assert (await File.all().count(), await chunks()) == (0, 0)
    assert await JournalLine.filter(name="file.stored").count() == 0


async def test_discarding_removes_an_upload_and_keeps_a_finished_file(house: House) -> None:
    upload = await files.begin(house.admin, "a", "text/csv", "import")
    await files.append(upload, b"x" * CHUNK)
    await files.discard(upload)
    assert (await File.all().count(), await chunks()) == (0, 0)
    upload = await files.begin(house.admin, "a", "text/csv", "import")
    await files.append(upload, b"abc")
    file = await files.finish(upload)
    await files.discard(upload)
    assert await whole(await files.get(house.admin, file.id)) == b"abc"


async def test_another_workspace_does_not_find_it(house: House) -> None:
    file = await files.save(house.admin, "report.html", "text/html", "report", b"<p>")
    with pytest.raises(NotFound):
        await files.get((await build_house("Other")).admin, file.id)
    assert await whole(await files.get(house.admin, file.id)) == b"<p>"


async def test_an_empty_file_is_a_file(house: House) -> None:
    file = await files.save(house.admin, "a", "text/csv", "import", b"")
    assert await whole(await files.get(house.admin, file.id)) == b""


async def test_expired_files_and_forgotten_uploads_are_not_found_and_then_removed(house: House) -> None:
    now = timekeeping.machine_now()
    old = await files.save(house.admin, "a", "text/csv", "export", b"a", expires_at=now)
    kept = await files.save(house.admin, "b", "text/csv", "export", b"b", expires_at=now + timedelta(days=1))
    lasting = await files.save(house.admin, "c", "text/csv", "export", b"c")
    forgotten = await files.begin(house.admin, "d", "text/csv", "import")
    await files.append(forgotten, b"d" * CHUNK)
    await File.filter(id=forgotten.file.id).update(expires_at=now)
    with pytest.raises(NotFound):
        await files.get(house.admin, old.id)
    assert await files.prune() == 2
    assert await files.prune() == 0
    assert set(await File.all().values_list("id", flat=True)) == {kept.id, lasting.id}
    assert await chunks() == 2


@pytest.mark.parametrize(
    ("name", "media_type", "purpose", "field"),
    [
        ("", "text/csv", "import", "name"),
        ("a\r\nb", "text/csv", "import", "name"),
        ("a\ud800", "text/csv", "import", "name"),
        ("a", "csv", "import", "mediaType"),
        ("a", "text/csv\r\nX: y", "import", "mediaType"),
        ("a", "text/csv", "Import!", "purpose"),
    ],
)
async def test_what_cannot_be_served_again_is_refused(
    house: House, name: str, media_type: str, purpose: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await files.begin(house.admin, name, media_type, purpose)
    assert refused.value.problems[0].field == (field,)
    assert await File.all().count() == 0
