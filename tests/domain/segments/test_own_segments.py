"""A workspace's own segments: by a rule or by hand, published whole, with only what changed written."""

from datetime import timedelta
from typing import Any

import pytest

from domain import customers, db, runs, segments
from domain.access import Role
from domain.errors import Conflict, DomainError, Forbidden, NotFound
from domain.journal import JournalLine
from domain.runs import Run, RunState
from domain.segments import PickMode, SegmentKind
from domain.segments.models import Membership, Segment, SegmentMove, SegmentPublication
from tests.conftest import NOON, House, build_house
from tests.domain.segments.population import Bought, Person, buy, recompute, settle, shopper
from tests.security.rows import differences, snapshot

BUYERS: dict[str, Any] = {"orders": {"count": {"gte": 2}}}


async def perform(run: Run | None) -> Run:
    assert run is not None
    assert await runs.perform(run.id, "worker", 30)
    return await Run.get(id=run.id)


async def members(segment: Segment) -> list[int]:
    return await segments.member_ids_after(segment.workspace_id, segment.id, 0, 100)


async def made(house: House, rule: dict[str, Any] | None = None, key: str = "MINE") -> Segment:
    segment, run = await segments.create(house.admin, key, name_en="Mine", rule=rule)
    assert (await perform(run)).state is RunState.SUCCEEDED
    return segment


async def nothing_happens(house: House) -> Any:
    return await snapshot(house.id)


async def test_a_rule_publishes_its_members_and_writes_only_who_comes_or_goes(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2, 3)])
    segment = await made(house, BUYERS)
    assert (segment.kind, segment.name_zh) == (SegmentKind.RULE, "Mine")
    assert await members(segment) == [ids["P2"], ids["P3"]]
    stays = await Membership.filter(segment_id=segment.id)
    assert {stay.reason for stay in stays} == {"version 1"}

    await house.turn(NOON + timedelta(days=1))
    await buy(house.id, "P1", ids["P1"], [Bought(NOON, 5)])
    await customers.set_excluded(house.admin, ids["P3"], True)
    run = await perform(await segments.evaluate(house.admin))
    assert run.result == {"segments": 1, "entered": 1, "departed": 1}
    assert await members(segment) == [ids["P1"], ids["P2"]]
    after = {stay.id: stay for stay in await Membership.filter(segment_id=segment.id)}
    assert len(after) == 3
    (gone,) = [stay for stay in after.values() if stay.left_at is not None]
    assert (gone.customer_id, gone.left_run_id, gone.left_at) == (ids["P3"], run.id, NOON + timedelta(days=1))
    untouched = [stay for stay in stays if stay.customer_id == ids["P2"]]
    assert all(vars(after[stay.id])["entered_run_id"] == stay.entered_run_id for stay in untouched)

    before = await Membership.filter(segment_id=segment.id).values()
    again = await perform(await segments.evaluate(house.admin))
    assert again.result == {"segments": 1, "entered": 0, "departed": 0}
    assert await Membership.filter(segment_id=segment.id).values() == before
    assert await SegmentMove.all().count() == 0
    fresh = (await segments.published(house.id, [segment.id]))[segment.id]
    assert (fresh.run_id, fresh.number, fresh.stale, fresh.entered) == (again.id, 1, False, 0)


async def test_who_enters_and_leaves_is_told_in_batches(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.segments.evaluating.BATCH", 2)
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, 2, 1_000) for n in range(5)])
    segment = await made(house, BUYERS)
    lines = await JournalLine.filter(subject="segment", name="segment.entered").order_by("id")
    assert [line.data["customers"] for line in lines] == [2, 2, 1]
    found = []
    for line in lines:
        data = line.data
        found += await segments.moved(
            house.id, segment.id, data["run"], data["first"], data["last"], entered=True
        )
    assert found == list(ids.values())
    (published,) = await JournalLine.filter(name="segment.published")
    assert published.data == {"entered": 5, "departed": 0}
    assert await JournalLine.filter(name="segment.left").count() == 0


async def test_the_recompute_of_placements_leaves_own_segments_alone(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, 2, 1_000) for n in range(3)])
    segment = await made(house, BUYERS)
    for _ in range(2):
        await recompute(house.admin)
        await buy(house.id, "P0", ids["P0"], [Bought(NOON, 3_000_000)])
    assert await members(segment) == list(ids.values())
    assert await Segment.filter(workspace_id=house.id).count() == 22


async def test_a_segment_follows_the_one_that_it_asks_about(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2, 3)])
    inner = await made(house, BUYERS, "INNER")
    outer = await made(house, {"not": {"member": {"segment_id": inner.id}}}, "OUTER")
    assert await members(outer) == [ids["P1"]]
    _, run = await segments.update(house.admin, inner.id, rule={"orders": {"count": {"gte": 3}}})
    await perform(run)
    waiting = await Run.get(kind="segments_evaluate", unique_key=str(outer.id), state=RunState.QUEUED)
    await perform(waiting)
    assert await members(outer) == [ids["P1"], ids["P2"]]
    # All at once, each comes behind those it asks about, however they were made.
    _, run = await segments.update(house.admin, inner.id, rule=BUYERS)
    assert run is not None
    await runs.cancel(house.admin, run.id)
    done = await perform(await segments.evaluate(house.admin))
    assert done.result == {"segments": 2, "entered": 1, "departed": 1}
    assert await members(outer) == [ids["P1"]]


async def test_a_circle_is_refused_however_long_and_nothing_happens(house: House) -> None:
    first = await made(house, BUYERS, "FIRST")
    second = await made(house, {"not": {"member": {"segment_id": first.id}}}, "SECOND")
    third = await made(house, {"all": [{"member": {"segment_id": second.id}}]}, "THIRD")
    before = await nothing_happens(house)
    for asked in (first, third):
        with pytest.raises(DomainError, match="about itself") as caught:
            await segments.update(
                house.admin, first.id, rule={"any": [BUYERS, {"member": {"segment_id": asked.id}}]}
            )
        assert caught.value.problems[0].field == ("input", "rule")
    assert differences(before, await nothing_happens(house)) == {}


async def test_a_list_made_by_hand_is_added_to_taken_from_and_replaced(house: House) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n + 1, 1_000) for n in range(4)])
    p = list(ids.values())
    segment = await made(house)
    assert (segment.kind, await members(segment)) == (SegmentKind.STATIC, [])

    async def picked(mode: PickMode, **given: Any) -> list[int]:
        change = await segments.pick(house.admin, segment.id, mode, **given)
        await perform(change.run)
        return await members(segment)

    assert await picked(PickMode.ADD, customer_ids=p[:2]) == p[:2]
    assert await picked(PickMode.ADD, customer_ids=p[1:3]) == p[:3]
    assert await picked(PickMode.REMOVE, customer_ids=p[:1]) == p[1:3]
    assert await picked(PickMode.REPLACE, where={"orders": {"count": {"gte": 3}}}) == p[2:]
    same = await segments.pick(house.admin, segment.id, PickMode.ADD, customer_ids=p[2:])
    assert (same.run, same.added) == (None, 0)
    assert await picked(PickMode.REPLACE, customer_ids=[]) == []
    reasons = await Membership.filter(segment_id=segment.id).order_by("id").values_list("reason", flat=True)
    assert list(reasons)[:2] == ["version 2", "version 2"]


async def test_whoever_is_no_longer_counted_leaves_a_list_and_comes_back(house: House) -> None:
    ids = await settle(house.id, [Person("P", NOON)])
    segment = await made(house)
    change = await segments.pick(house.admin, segment.id, PickMode.ADD, customer_ids=list(ids.values()))
    await perform(change.run)
    for excluded, there in ((True, []), (False, [ids["P"]])):
        await customers.set_excluded(house.admin, ids["P"], excluded)
        await perform(await segments.evaluate(house.admin))
        assert await members(segment) == there


async def test_what_changed_while_it_was_worked_out_is_worked_out_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2)])
    segment, run = await segments.create(house.admin, "MINE", name_en="Mine", rule=BUYERS)
    from domain.segments import evaluating

    stage, times = evaluating._stage, []

    async def changing(work: Any, segment_id: int) -> None:
        await stage(work, segment_id)
        times.append(1)
        if len(times) == 1:
            await segments.update(house.admin, segment.id, rule={"orders": {"count": {"eq": 1}}})

    monkeypatch.setattr(evaluating, "_stage", changing)
    await perform(run)
    assert len(times) == 2
    assert await members(segment) == [ids["P1"]]
    assert [each.number for each in await SegmentPublication.all()] == [2]


async def test_a_cancelled_run_leaves_the_old_members_and_the_next_cleans_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await settle(house.id, [shopper(f"P{n}", NOON, 3, n, 1_000) for n in (1, 2)])
    segment = await made(house, BUYERS)
    _, run = await segments.update(house.admin, segment.id, rule={"orders": {"count": {"eq": 1}}})
    assert run is not None
    from domain.segments import evaluating

    stage = evaluating._stage

    async def cancelled(work: Any, segment_id: int) -> None:
        await stage(work, segment_id)
        await runs.cancel(house.admin, work.run.id)

    with monkeypatch.context() as patched:
        patched.setattr(evaluating, "_stage", cancelled)
        await runs.perform(run.id, "worker", 30)
    assert (await Run.get(id=run.id)).state is RunState.CANCELLED
    assert await members(segment) == [ids["P2"]]
    assert (await segments.published(house.id, [segment.id]))[segment.id].stale
    await perform(await segments.evaluate(house.admin, segment.id))
    assert await members(segment) == [ids["P1"]]
    assert await SegmentMove.all().count() == 0


async def test_asking_twice_is_asking_once(house: House) -> None:
    segment = await made(house, BUYERS)
    first = await segments.evaluate(house.admin, segment.id)
    assert (await segments.recompute_one(house.staff[Role.PLANNER], segment.id)).id == first.id


async def test_the_same_again_changes_nothing(house: House) -> None:
    segment = await made(house, BUYERS)
    before = await nothing_happens(house)
    _, run = await segments.update(house.admin, segment.id, name_en="Mine", rule=BUYERS)
    assert run is None
    assert differences(before, await nothing_happens(house)) == {}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"key": "lower"}, "input.key"),
        ({"key": "VIP"}, "input.key"),
        ({"key": "MINE"}, "input.key"),
        ({"name_en": None}, "input.nameEn"),
        ({"name_en": "n" * 121}, "input.nameEn"),
        ({"rule": {"orders": {}}}, "input.rule.orders"),
        ({"rule": {"member": {"segment_id": 4_000_000_000}}}, "input.rule.member.segmentId"),
        ({"rule": {"owner": {"owner_ids": [4_000_000_000]}}}, "input.rule.owner.ownerIds"),
    ],
)
async def test_what_will_not_do_is_refused_and_nothing_happens(
    house: House, given: dict[str, Any], field: str
) -> None:
    await made(house, BUYERS)
    before = await nothing_happens(house)
    wanted = {"key": "OTHER", "name_en": "Other", "rule": BUYERS} | given
    with pytest.raises(DomainError) as caught:
        await segments.create(house.admin, wanted.pop("key"), **wanted)
    assert [".".join(problem.field) for problem in caught.value.problems] == [field]
    assert differences(before, await nothing_happens(house)) == {}


async def test_built_in_segments_lists_and_old_versions_are_refused(house: House) -> None:
    await recompute(house.admin)
    rule, by_hand = await made(house, BUYERS), await made(house, key="HAND")
    vip = await segments.find_by_key(house.id, "VIP")
    assert vip is not None
    before = await nothing_happens(house)
    for change in (
        segments.update(house.admin, vip.id, name_en="Ours"),
        segments.update(house.admin, by_hand.id, rule=BUYERS),
        segments.pick(house.admin, rule.id, PickMode.ADD, customer_ids=[]),
        segments.pick(house.admin, by_hand.id, PickMode.ADD, customer_ids=[4_000_000_000]),
        segments.pick(house.admin, by_hand.id, PickMode.ADD, customer_ids=[0] * 101),
        segments.pick(house.admin, by_hand.id, PickMode.ADD),
        segments.recompute_one(house.admin, vip.id),
    ):
        with pytest.raises(DomainError):
            await change
    with pytest.raises(Conflict):
        await segments.update(house.admin, rule.id, name_en="New", expected_version=7)
    for role in (Role.EXECUTOR, Role.SUPPORT, Role.TEAM_LEAD):
        with pytest.raises(Forbidden):
            await segments.update(house.staff[role], rule.id, name_en="New")
    assert differences(before, await nothing_happens(house)) == {}


async def test_no_rule_reaches_into_another_workspace(house: House) -> None:
    other = await build_house("Other")
    theirs = await settle(other.id, [shopper(f"P{n}", NOON, 3, 5, 1_000) for n in range(3)])
    await db.insert_many(
        "customer_tags", [{"workspace_id": other.id, "customer_id": n, "tag": "a"} for n in theirs.values()]
    )
    foreign = await made(other, BUYERS)
    mine = await settle(house.id, [shopper("M", NOON, 3, 1, 1_000)])
    anybody = {"any": [BUYERS, {"tags": {"any": ["a"]}}, {"not": {"tags": {"any": ["zzz"]}}}]}
    segment = await made(house, anybody)
    assert await members(segment) == list(mine.values())
    shown = await segments.preview(house.admin, anybody)
    assert [customer.external_id for customer in shown.sample] == ["M"]
    shown = await segments.preview(house.admin, {"member": {"segment_id": foreign.id}}, foreign.id)
    assert (shown.customers, shown.departing, shown.looked_at) == (0, 0, 1)
    by_hand = await made(house, key="HAND")
    before = await snapshot()
    for refused in (
        segments.create(house.admin, "SPY", name_en="Spy", rule={"member": {"segment_id": foreign.id}}),
        segments.create(
            house.admin, "SPY", name_en="Spy", rule={"owner": {"owner_ids": [other.admin.user_id]}}
        ),
        segments.update(house.admin, foreign.id, name_en="Ours"),
        segments.pick(house.admin, by_hand.id, PickMode.ADD, customer_ids=[theirs["P0"]]),
        segments.judge(house.admin, foreign.id, mine["M"]),
        segments.judge(house.admin, segment.id, theirs["P0"]),
        segments.recompute_one(house.admin, foreign.id),
    ):
        with pytest.raises(DomainError) as caught:
            await refused
        assert {problem.code for problem in caught.value.problems} == {NotFound.code}
    assert differences(before, await snapshot()) == {}


async def test_the_presets_stand_as_the_documents_have_them_and_the_built_in_ones_agree(house: House) -> None:
    people = [shopper(f"P{n}", NOON, n * 40, 1 + n % 3, 4_000_000 * n + 10) for n in range(9)]
    ids = await settle(house.id, [*people, Person("none", NOON - timedelta(days=100))])
    await recompute(house.admin)
    found = await segments.install(house.staff[Role.PLANNER], list(segments.SEGMENT_PRESETS))
    assert [segment.key for segment in found] == list(segments.SEGMENT_PRESETS)
    assert [segment.kind for segment in found].count(SegmentKind.PRESET) == 3
    await perform(await segments.evaluate(house.admin))
    for segment in found:
        assert segment.name_zh != segment.name_en
        there = set(await members(segment))
        verdicts = {number: await segments.judge(house.admin, segment.id, number) for number in ids.values()}
        assert {number for number, verdict in verdicts.items() if verdict.fits} == there, segment.key
    before = await snapshot(house.id)
    again = await segments.install(house.admin, ["SILENT", "VIP"])
    assert [segment.key for segment in again] == ["SILENT", "VIP"]
    with pytest.raises(DomainError, match="NOBODY"):
        await segments.install(house.admin, ["SILENT", "NOBODY"])
    assert differences(before, await snapshot(house.id)) == {}


async def test_an_explanation_names_each_condition_with_its_value_and_line(house: House) -> None:
    ids = await settle(house.id, [shopper("P", NOON, 3, 2, 1_234_50)])
    rule = {
        "all": [
            {"orders": {"count": {"gte": 2}, "total": {"gt": 1_000_00}, "window": {"months": 12}}},
            {"not": {"tags": {"any": ["vip", "old"]}}},
        ]
    }
    segment = await made(house, rule)
    verdict = await segments.judge(house.admin, segment.id, ids["P"])
    assert verdict.fits and verdict.since == NOON
    assert [
        (".".join(each.place), each.name, each.value, each.threshold, each.met) for each in verdict.lines
    ] == [
        ("", "all", "2 of 2", "every one", True),
        ("all.0.orders", "orders", "2 of 2", "every one", True),
        ("all.0.orders", "count in 12 months", "2", ">= 2", True),
        ("all.0.orders", "total in 12 months", "CNY 1,234.50", "> CNY 1,000.00", True),
        ("all.1", "not", "not met", "not met", True),
        ("all.1.not.tags", "tags", None, "vip, old", False),
    ]
