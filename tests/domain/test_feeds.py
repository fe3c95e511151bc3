"""A feed has no gaps and hides nothing; what its lines call for is done once, whatever fails."""

import asyncio
import random
from collections import Counter

import pytest

from domain import db, feeds, journal, nudges, timekeeping
from domain.access import Principal
from domain.feeds import GIVE_UP_AFTER, Reaction
from domain.journal import Entry, Feed, JournalLine, ParkedLine
from domain.workspaces import Team
from tests.conftest import House, build_house


class Failed(Exception):
    """What a writer or a reaction raises."""


async def _number_all(house: House) -> None:
    while await feeds.number(house.id):
        pass


async def _settled(house: House) -> int:
    """Number what building the house wrote, and let its reactions pass it; the feed's head."""
    await _number_all(house)
    while await feeds.react(house.id, {}):
        pass
    return await feeds.head(house.id)


async def _write(house: House, *subjects: int, name: str = "thing.done") -> None:
    async with db.transaction():
        await journal.write(house.admin, *(Entry(name, subject) for subject in subjects))


async def _feed(house: House) -> Feed:
    return await Feed.get(workspace_id=house.id)


# --- places ---


@pytest.mark.parametrize("seed", range(3))
async def test_places_have_no_gaps_and_a_follower_sees_every_line_once(house: House, seed: int) -> None:
    chance = random.Random(seed)
    before = await _settled(house)
    kept: list[int] = []
    writing, numbered = True, False

    async def writer(number: int) -> None:
        for turn in range(5):
            subjects = [number * 1000 + turn * 10 + n for n in range(chance.randint(1, 4))]
            fails, pauses = chance.random() < 0.3, chance.randint(0, 5)
            try:
                async with db.transaction():
                    await journal.write(house.admin, *(Entry("thing.done", s) for s in subjects))
                    for _ in range(pauses):
                        await asyncio.sleep(0)
                    if fails:
                        raise Failed
            except Failed:
                continue
            kept.extend(subjects)

    async def numberer() -> None:
        while writing:
            await feeds.number(house.id)
            await asyncio.sleep(0)

    seen: list[tuple[int, int]] = []

    async def follower() -> None:
        place = before
        while True:
            done = numbered
            lines = await feeds.lines_after(house.id, place, limit=chance.randint(1, 7))
            seen.extend((line.position, line.subject_id) for line in lines)
            if lines:
                place = lines[-1].position
            elif done:
                return
            await asyncio.sleep(0)

    numberers = [asyncio.create_task(numberer()) for _ in range(3)]
    following = asyncio.create_task(follower())
    await asyncio.gather(*(writer(number) for number in range(20)))
    await _number_all(house)
    writing = False
    await asyncio.gather(*numberers)
    await _number_all(house)  # one of them may have been at it, and then the others are told of nothing
    numbered = True
    await following

    assert len(kept) > 50
    assert [position for position, _ in seen] == list(range(before + 1, before + len(kept) + 1))
    assert sorted(subject for _, subject in seen) == sorted(kept)
    assert await feeds.head(house.id) == before + len(kept)
    everything = await JournalLine.filter(workspace_id=house.id)
    assert sorted(line.position for line in everything) == list(range(1, before + len(kept) + 1))
    assert await feeds.number(house.id) == 0


async def test_a_line_that_commits_late_comes_after_those_already_placed(house: House) -> None:
    """Its id is lower; a follower who is past the others' places must still meet it."""
    if not db.is_postgres():
        return  # one writer at a time: no line can commit behind a later one
    before = await _settled(house)
    written, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with db.transaction():
            await journal.write(house.admin, Entry("thing.done", 1))
            written.set()
            await go_on.wait()

    task = asyncio.create_task(slow())
    await written.wait()
    await _write(house, 2)
    await _number_all(house)
    assert [line.subject_id for line in await feeds.lines_after(house.id, before)] == [2]
    go_on.set()
    await task
    await _number_all(house)
    lines = await feeds.lines_after(house.id, before)
    assert [(line.position - before, line.subject_id) for line in lines] == [(1, 2), (2, 1)]
    assert lines[1].id < lines[0].id


async def test_numbering_takes_more_lines_than_one_batch(house: House) -> None:
    before = await _settled(house)
    await _write(house, *range(feeds.BATCH + 7))
    assert [await feeds.number(house.id) for _ in range(3)] == [feeds.BATCH, 7, 0]
    assert await feeds.head(house.id) == before + feeds.BATCH + 7


async def test_each_workspace_has_its_own_places(house: House) -> None:
    other = await build_house("Other")
    assert sorted(await feeds.unnumbered()) == sorted([house.id, other.id])
    await _settled(house)
    assert await feeds.unnumbered() == [other.id]
    assert await feeds.head(other.id) == 0
    await _number_all(other)
    first = (await feeds.lines_after(other.id, 0, 1))[0]
    assert (first.position, first.name) == (1, "workspace.created")


async def test_new_places_ring_for_news_and_no_places_do_not(house: House) -> None:
    await _settled(house)
    rung: list[str] = []
    with (
        nudges.NEWS.listening(lambda: rung.append("news")),
        nudges.WORK.listening(lambda: rung.append("work")),
    ):
        await _write(house, 1)
        assert rung == ["work"]
        assert await feeds.number(house.id) == 1
        assert await feeds.number(house.id) == 0
        with pytest.raises(Failed):
            async with db.transaction():
                await journal.write(house.admin, Entry("thing.done", 2))
                raise Failed
    await _write(house, 3)
    assert rung == ["work", "news"]


async def test_a_line_belongs_to_the_transaction_of_its_change(house: House) -> None:
    before = await JournalLine.filter(workspace_id=house.id).count()
    with pytest.raises(AssertionError):
        await journal.write(house.admin, Entry("thing.done", 1))
    assert await JournalLine.filter(workspace_id=house.id).count() == before


# --- reactions ---


def _opens_a_team(
    calls: Counter[int] | None = None, bad: frozenset[int] = frozenset()
) -> dict[str, Reaction]:
    """A reaction whose effect is a row that can be made once; it fails, after its effect, on some lines."""

    async def react(who: Principal, line: JournalLine) -> None:
        if calls is not None:
            calls[line.subject_id] += 1
        await Team.create(
            workspace_id=who.workspace_id,
            name=f"effect {line.subject_id}",
            created_at=timekeeping.machine_now(),
        )
        if line.subject_id in bad:
            raise Failed("personal data of somebody")

    return {"thing.done": react}


async def _effects(house: House) -> list[int]:
    teams = await Team.filter(workspace_id=house.id, name__startswith="effect ")
    return sorted(int(team.name.split()[1]) for team in teams)


async def test_each_line_is_reacted_to_once_and_in_order(house: House) -> None:
    await _settled(house)
    await _write(house, *range(120))
    await _write(house, 999, name="thing.ignored")
    await _number_all(house)
    order: list[int] = []

    async def note(who: Principal, line: JournalLine) -> None:
        assert (who.workspace_id, who.label) == (house.id, "reaction")
        order.append(line.subject_id)

    assert await feeds.unreacted() == [house.id]
    passed = [await feeds.react(house.id, {"thing.done": note}) for _ in range(4)]
    assert passed == [feeds.REACT_BATCH, feeds.REACT_BATCH, 21, 0]
    assert order == list(range(120))
    assert await feeds.unreacted() == []


async def test_lines_without_a_place_are_not_reacted_to(house: House) -> None:
    await _settled(house)
    await _write(house, 1)
    assert await feeds.react(house.id, _opens_a_team()) == 0
    assert await _effects(house) == []


async def test_two_at_once_react_to_nothing_twice(house: House) -> None:
    await _settled(house)
    await _write(house, *range(130))
    await _number_all(house)
    passed = 0
    for _ in range(20):
        passed += sum(await asyncio.gather(*(feeds.react(house.id, _opens_a_team()) for _ in range(3))))
        if passed >= 130:
            break
    assert passed == 130
    assert await _effects(house) == list(range(130))
    assert await ParkedLine.all().count() == 0


async def test_a_failing_line_is_retried_then_parked_and_the_rest_goes_on(house: House) -> None:
    await _settled(house)
    await _write(house, 1, 2, 3, 4)
    await _number_all(house)
    calls: Counter[int] = Counter()
    reactions = _opens_a_team(calls, bad=frozenset({2}))

    assert await feeds.react(house.id, reactions) == 1, "those before it are done one by one"
    assert await _effects(house) == [1]
    start = (await _feed(house)).reacted
    for attempt in range(1, GIVE_UP_AFTER + 1):
        before = timekeeping.machine_now()
        assert await feeds.react(house.id, reactions) == 0
        assert await _effects(house) == [1], "the failing line left nothing"
        feed = await _feed(house)
        if attempt == GIVE_UP_AFTER:
            break
        assert (feed.reacted, feed.attempts) == (start, attempt)
        assert feed.retry_at is not None and feed.retry_at > before
        assert await feeds.unreacted() == [], "not before its time"
        await db.execute("UPDATE feeds SET retry_at = {now} WHERE workspace_id = :id", id=house.id)
        assert await feeds.unreacted() == [house.id]
        assert await ParkedLine.all().count() == 0
    feed = await _feed(house)
    assert (feed.reacted, feed.attempts, feed.retry_at) == (start + 1, 0, None)
    parked = await ParkedLine.get(workspace_id=house.id)
    assert (await JournalLine.get(id=parked.line_id)).subject_id == 2
    assert parked.error == "Failed", "its kind, never its words"

    assert await feeds.unreacted() == [house.id]
    assert await feeds.react(house.id, reactions) == 2
    assert await _effects(house) == [1, 3, 4]
    assert calls[2] > GIVE_UP_AFTER
    assert await feeds.unreacted() == []


async def test_a_line_that_recovers_is_done_and_its_attempts_are_forgotten(house: House) -> None:
    await _settled(house)
    await _write(house, 1)
    await _number_all(house)
    for _ in range(GIVE_UP_AFTER - 1):
        assert await feeds.react(house.id, _opens_a_team(bad=frozenset({1}))) == 0
    assert await feeds.react(house.id, _opens_a_team()) == 1
    feed = await _feed(house)
    assert (feed.attempts, feed.retry_at) == (0, None)
    assert await _effects(house) == [1]
    assert await ParkedLine.all().count() == 0


async def test_a_failing_line_tried_by_several_at_once_is_parked_once(house: House) -> None:
    await _settled(house)
    await _write(house, 1, 2, 3)
    await _number_all(house)
    reactions = _opens_a_team(bad=frozenset({2}))
    for _ in range(30):
        await asyncio.gather(*(feeds.react(house.id, reactions) for _ in range(4)))
        if (await _feed(house)).reacted == await feeds.head(house.id):
            break
    assert await _effects(house) == [1, 3]
    parked = await ParkedLine.filter(workspace_id=house.id)
    assert [(await JournalLine.get(id=line.line_id)).subject_id for line in parked] == [2]


async def test_of_several_who_give_up_a_line_at_the_same_moment_one_parks_it(house: House) -> None:
    seen = await _settled(house)
    await _write(house, 1, 2)
    await _number_all(house)
    await Feed.filter(workspace_id=house.id).update(attempts=GIVE_UP_AFTER - 1)
    await asyncio.gather(*(feeds._set_apart(house.id, seen, _opens_a_team(), Failed()) for _ in range(5)))
    feed = await _feed(house)
    assert (feed.reacted, feed.attempts, feed.retry_at) == (seen + 1, 0, None)
    assert await ParkedLine.filter(workspace_id=house.id).count() == 1
    assert await feeds.react(house.id, _opens_a_team()) == 1
    assert await _effects(house) == [2]


async def test_one_workspace_s_failing_line_does_not_hold_up_another(house: House) -> None:
    other = await build_house("Other")
    for each in (house, other):
        await _settled(each)
        await _write(each, 1)
        await _number_all(each)
    assert await feeds.react(house.id, _opens_a_team(bad=frozenset({1}))) == 0
    assert await feeds.unreacted() == [other.id]
    assert await feeds.react(other.id, _opens_a_team()) == 1
    assert (await _effects(house), await _effects(other)) == ([], [1])


async def test_who_is_held_up_in_a_reaction_holds_up_neither_places_nor_others(house: House) -> None:
    """A process may be frozen in the midst of it: the clock of another must come round all the same."""
    if not db.is_postgres():
        return  # one process, one writer
    before = await _settled(house)
    await _write(house, 1)
    await _number_all(house)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def held(_: Principal, __: JournalLine) -> None:
        reached.set()
        await go_on.wait()

    reacting = asyncio.create_task(feeds.react(house.id, {"thing.done": held}))
    await reached.wait()
    await _write(house, 2)
    async with asyncio.timeout(5):
        assert await feeds.number(house.id) == 1
        assert await feeds.react(house.id, {}) == 0
    go_on.set()
    assert await reacting == 1
    assert await feeds.head(house.id) == before + 2


async def test_who_is_held_up_in_giving_places_holds_up_nobody(house: House) -> None:
    if not db.is_postgres():
        return
    await _settled(house)
    await _write(house, 1)
    numbered, go_on = asyncio.Event(), asyncio.Event()

    async def frozen() -> None:
        async with db.transaction():
            assert await feeds.number(house.id) == 1
            numbered.set()
            await go_on.wait()

    task = asyncio.create_task(frozen())
    await numbered.wait()
    async with asyncio.timeout(5):
        assert await feeds.number(house.id) == 0
    go_on.set()
    await task
    assert await feeds.number(house.id) == 0


async def test_that_the_database_is_away_is_no_line_s_failure(house: House) -> None:
    before = await _settled(house)
    await _write(house, 1)
    await _number_all(house)

    async def away(_: Principal, __: JournalLine) -> None:
        raise ConnectionResetError

    for _ in range(feeds.GIVE_UP_AFTER + 1):
        assert await feeds.react(house.id, {"thing.done": away}) == 0
    assert await ParkedLine.all().count() == 0
    feed = await Feed.get(workspace_id=house.id)
    assert (feed.reacted, feed.attempts, feed.retry_at) == (before, 0, None)
