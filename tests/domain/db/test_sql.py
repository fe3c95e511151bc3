"""One text on both databases: parameters, lists, machine time, many rows, and what follows a commit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from domain import db, timekeeping
from domain.workspaces import Team
from tests.conftest import House


class Failed(Exception):
    """What a piece of work raises so that it is rolled back."""


@pytest.fixture
async def words(database: str) -> AsyncIterator[None]:
    at = "TIMESTAMPTZ" if db.is_postgres() else "TIMESTAMP"
    await db.execute(f"CREATE TABLE words (id BIGINT PRIMARY KEY, word TEXT NOT NULL, at {at})")
    await db.insert_many("words", [{"id": n, "word": word} for n, word in enumerate(["ash", "elm", "oak"])])
    yield


async def _words() -> list[str]:
    return [row["word"] for row in await db.rows("SELECT word FROM words ORDER BY id")]


async def test_a_parameter_may_be_named_more_than_once(words: None) -> None:
    found = await db.rows("SELECT id FROM words WHERE word = :word OR word < :word ORDER BY id", word="elm")
    assert [row["id"] for row in found] == [0, 1]


async def test_parameters_are_values_never_text(words: None) -> None:
    nasty = "'; DROP TABLE words; -- :word {now} ? $1"
    await db.execute("UPDATE words SET word = :word WHERE id = :id", word=nasty, id=0)
    assert await db.value("SELECT word FROM words WHERE id = 0") == nasty


async def test_a_name_that_begins_another_is_not_mistaken_for_it(words: None) -> None:
    found = await db.one("SELECT word FROM words WHERE id = :id AND word = :id_word", id=2, id_word="oak")
    assert found == {"word": "oak"}


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
async def test_a_list_becomes_as_many_values(words: None, kind: type) -> None:
    found = await db.rows(
        "SELECT id FROM words WHERE word IN :wanted AND id > :least ORDER BY id",
        wanted=kind(["elm", "ash", "yew", "oak"]),
        least=0,
    )
    assert [row["id"] for row in found] == [1, 2]


async def test_an_empty_list_matches_nothing(words: None) -> None:
    assert await db.rows("SELECT id FROM words WHERE word IN :wanted", wanted=[]) == []
    assert await db.execute("DELETE FROM words WHERE word IN :wanted", wanted=[]) == 0


@pytest.mark.parametrize("column", ["id", "word", "at"])
async def test_everything_is_outside_of_an_empty_list_and_nothing_in_it(words: None, column: str) -> None:
    """Whatever the column's type, and NULL too: no `at` is set."""
    everything = await db.rows("SELECT id FROM words ORDER BY id")
    outside = f"SELECT id FROM words WHERE {column} NOT IN :none ORDER BY id"
    assert await db.rows(outside, none=[]) == everything != []
    assert (
        await db.rows(f"SELECT id FROM words WHERE NOT ({column} in :none) ORDER BY id", none=[])
        == everything
    )
    assert await db.value(f"SELECT count(*) FROM words WHERE {column} not  in :none", none=set()) == 3
    assert await db.rows(f"SELECT id FROM words WHERE {column} IN :none", none=()) == []


async def test_a_list_that_is_not_empty_keeps_its_members_out(words: None) -> None:
    left = await db.rows(
        "SELECT id FROM words WHERE id NOT IN :ids AND id NOT IN :none AND word <> :word",
        ids=[0],
        none=[],
        word="oak",
    )
    assert [row["id"] for row in left] == [1]


async def test_an_empty_list_elsewhere_is_a_mistake(words: None) -> None:
    with pytest.raises(ValueError, match="ids: an empty list"):
        await db.rows("SELECT id FROM words WHERE id = ANY :ids", ids=[])


async def test_a_list_may_be_used_twice_beside_other_parameters(words: None) -> None:
    found = await db.rows(
        "SELECT id FROM words WHERE id IN :ids AND word <> :word AND id IN :ids", ids=[0, 1], word="ash"
    )
    assert [row["id"] for row in found] == [1]


async def test_execute_counts_the_rows_it_touched(words: None) -> None:
    assert await db.execute("UPDATE words SET word = 'fir' WHERE id >= :id", id=1) == 2
    assert await db.execute("DELETE FROM words WHERE id = :id", id=99) == 0
    assert await db.execute("DELETE FROM words") == 3


async def test_one_and_value_give_the_first_or_none(words: None) -> None:
    assert await db.one("SELECT id, word FROM words ORDER BY id DESC") == {"id": 2, "word": "oak"}
    assert await db.one("SELECT id FROM words WHERE id = 99") is None
    assert await db.value("SELECT word FROM words WHERE id = 99") is None


async def test_now_is_machine_time_and_now_plus_is_so_many_seconds_later(words: None) -> None:
    before = timekeeping.machine_now()
    await db.execute("UPDATE words SET at = {now} WHERE id = 0")
    await db.execute("UPDATE words SET at = {now+wait} WHERE id = 1", wait=90.5)
    after = timekeeping.machine_now()
    now, later = [
        db.instant_of(row["at"]) for row in await db.rows("SELECT at FROM words WHERE id < 2 ORDER BY id")
    ]
    assert before <= now <= after
    assert before + timedelta(seconds=90.5) <= later <= after + timedelta(seconds=90.5)
    assert await db.value("SELECT count(*) FROM words WHERE at <= {now}") == 1
    assert await db.value("SELECT count(*) FROM words WHERE at <= {now+wait}", wait=100) == 2


async def test_two_moments_of_one_statement_share_their_now(words: None) -> None:
    await db.execute("UPDATE words SET at = {now+wait} WHERE at IS NULL AND {now+wait} > {now}", wait=60)
    assert await db.value("SELECT count(DISTINCT at) FROM words") == 1


async def test_an_instant_sorts_the_same_however_its_zone_was_written(words: None) -> None:
    noon = datetime(2025, 3, 3, 12, tzinfo=UTC)
    await db.execute("UPDATE words SET at = :at WHERE id = 0", at=noon)
    found = await db.rows(
        "SELECT id FROM words WHERE at > :a AND at < :b",
        a=noon - timedelta(microseconds=1),
        b=noon + timedelta(microseconds=1),
    )
    assert [row["id"] for row in found] == [0]


async def test_insert_many_gives_back_what_it_is_asked_for(words: None) -> None:
    made = await db.insert_many(
        "words", [{"id": 10, "word": "yew"}, {"id": 11, "word": "fir"}], returning="id, word"
    )
    assert sorted((row["id"], row["word"]) for row in made) == [(10, "yew"), (11, "fir")]
    assert await db.insert_many("words", [], returning="id") == []


async def test_insert_many_leaves_out_what_a_conflict_skipped(words: None) -> None:
    made = await db.insert_many(
        "words",
        [{"id": 2, "word": "fir"}, {"id": 3, "word": "yew"}],
        then="ON CONFLICT (id) DO NOTHING",
        returning="id",
    )
    assert made == [{"id": 3}]
    assert await _words() == ["ash", "elm", "oak", "yew"]


async def test_insert_many_changes_what_a_conflict_met(words: None) -> None:
    await db.insert_many(
        "words",
        [{"id": 2, "word": "fir"}, {"id": 3, "word": "yew"}],
        then="ON CONFLICT (id) DO UPDATE SET word = excluded.word",
    )
    assert await _words() == ["ash", "elm", "fir", "yew"]


async def test_insert_many_takes_more_rows_than_one_statement_may(words: None) -> None:
    made = await db.insert_many(
        "words", [{"id": n, "word": f"w{n}", "at": None} for n in range(100, 1305)], returning="id"
    )
    assert sorted(row["id"] for row in made) == list(range(100, 1305))
    assert await db.value("SELECT count(*) FROM words") == 1208


async def test_hooks_run_after_the_commit_in_their_order(words: None) -> None:
    seen: list[object] = []

    async def look() -> None:
        assert not db.in_transaction()
        seen.append(await db.value("SELECT word FROM words WHERE id = 0"))

    async with db.transaction():
        await db.execute("UPDATE words SET word = 'fir' WHERE id = 0")
        db.after_commit(lambda: seen.append("first"))
        db.after_commit(look)
        assert seen == []
    assert seen == ["first", "fir"]


async def test_hooks_do_not_run_after_a_rollback(words: None) -> None:
    seen: list[str] = []
    with pytest.raises(Failed):
        async with db.transaction():
            db.after_commit(lambda: seen.append("never"))
            raise Failed
    assert seen == []
    async with db.transaction():
        pass
    assert seen == []


async def test_a_hook_of_an_inner_transaction_waits_for_the_outer(words: None) -> None:
    seen: list[str] = []
    async with db.transaction():
        async with db.transaction():
            db.after_commit(lambda: seen.append("inner"))
        assert seen == []
        assert db.in_transaction()
    assert seen == ["inner"]


async def test_a_hook_of_an_inner_transaction_falls_with_the_outer(words: None) -> None:
    seen: list[str] = []
    with pytest.raises(Failed):
        async with db.transaction():
            async with db.transaction():
                await db.execute("DELETE FROM words")
                db.after_commit(lambda: seen.append("never"))
            raise Failed
    assert seen == []
    assert await _words() == ["ash", "elm", "oak"]


async def test_without_a_transaction_a_hook_runs_at_once(database: str) -> None:
    seen: list[str] = []
    db.after_commit(lambda: seen.append("now"))
    assert seen == ["now"]


async def test_a_cancelled_transaction_runs_no_hooks_unless_it_committed(words: None) -> None:
    seen: list[str] = []
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with db.transaction():
            db.after_commit(lambda: seen.append("never"))
            inside.set()
            await go_on.wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()
    await asyncio.wait([task])
    assert (task.cancelled(), seen) == (True, [])


async def test_what_one_task_does_in_a_transaction_another_does_not_see(words: None) -> None:
    changed, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with db.transaction():
            await db.execute("UPDATE words SET word = 'fir' WHERE id = 0")
            changed.set()
            await go_on.wait()

    task = asyncio.create_task(work())
    await changed.wait()
    assert not db.in_transaction()
    look = asyncio.create_task(_words())
    if db.is_postgres():
        assert (await look)[0] == "ash"
    go_on.set()
    await task
    assert (await _words())[0] == "fir"
    assert (await look)[0] == ("ash" if db.is_postgres() else "fir")


async def test_a_row_that_is_there_already_is_told_from_other_failures(house: House) -> None:
    async def statement() -> None:
        await db.execute(
            "INSERT INTO teams (workspace_id, version, name, created_at) VALUES (:w, 1, :name, {now})",
            w=house.id,
            name="Care",
        )

    async def many() -> None:
        await db.insert_many(
            "teams",
            [
                {
                    "workspace_id": house.id,
                    "version": 1,
                    "name": "Care",
                    "created_at": timekeeping.machine_now(),
                }
            ],
        )

    async def model() -> None:
        await Team.create(workspace_id=house.id, name="Care", created_at=timekeeping.machine_now())

    for insert in (statement, many, model):
        with pytest.raises(Exception) as taken:
            await insert()
        assert db.is_unique_violation(taken.value), insert.__name__
    with pytest.raises(Exception) as missing:
        await db.execute(
            "INSERT INTO teams (workspace_id, version, name, created_at) VALUES (:w, 1, NULL, {now})",
            w=house.id,
        )
    assert not db.is_unique_violation(missing.value)
    with pytest.raises(Exception) as dangling:
        await db.execute(
            "INSERT INTO team_members (workspace_id, team_id, user_id) VALUES (:w, 999, 999)", w=house.id
        )
    assert not db.is_unique_violation(dangling.value)
    assert not db.is_unique_violation(ValueError("UNIQUE"))
    assert await Team.filter(workspace_id=house.id).count() == 1


@pytest.mark.parametrize("count", [99, 100, 250])
async def test_a_long_list_means_what_a_short_one_does(words: None, count: int) -> None:
    await db.insert_many("words", [{"id": n, "word": f"w{n}"} for n in range(3, 300)])
    ids, names = list(range(count)), [f"w{n}" for n in range(count)]
    assert len(await db.rows("SELECT id FROM words WHERE id IN :ids", ids=ids)) == count
    assert len(await db.rows("SELECT id FROM words WHERE id NOT IN :ids", ids=ids)) == 300 - count
    both = "SELECT id FROM words WHERE id IN :ids AND word NOT IN :names OR id = :one"
    assert [row["id"] for row in await db.rows(both, ids=ids, names=names, one=-1)] == [0, 1, 2]
    assert (
        await db.execute("DELETE FROM words WHERE id IN :ids AND word IN :names", ids=ids, names=names)
        == count - 3
    )


async def test_many_rows_of_a_model_s_table_keep_what_they_hold_and_what_is_too_long_is_refused(
    house: House,
) -> None:
    at = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    teams = [
        {
            "workspace_id": house.id,
            "version": n,
            "name": f"{n} é'\"{{}},\\ NULL",
            "created_at": at + timedelta(n),
        }
        for n in range(1, 1203)
    ]
    made = await db.insert_many("teams", teams, returning="id, version")
    assert [row["version"] for row in sorted(made, key=lambda row: row["id"])] == list(range(1, 1203))
    found = await Team.filter(name__contains="NULL").order_by("version")
    assert [(one.name, one.created_at) for one in found] == [
        (one["name"], one["created_at"]) for one in teams
    ]
    if db.is_postgres():
        with pytest.raises(Exception, match="too long"):
            await db.insert_many("teams", [{**teams[0], "name": "x" * 121}])
