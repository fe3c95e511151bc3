"""Segments, their members, and how customers moved."""

from datetime import timedelta

from tortoise.expressions import Q

from domain import segments
from domain.customers.models import Customer
from domain.paging import Order, Slice
from domain.segments import LifecycleStage, RfmTier, SegmentKind, Transition, ValueLevel
from tests.conftest import NOON, House
from tests.domain.segments.population import Bought, Person, buy, recompute, settle, shopper, table

HIGH_GROWTH = (LifecycleStage.GROWTH, ValueLevel.HIGH)
NEW_ORDINARY = (LifecycleStage.NEW, ValueLevel.ORDINARY)
NEW_HIGH = (LifecycleStage.NEW, ValueLevel.HIGH)


async def _segment(house: House, key: str) -> segments.Segment:
    found = await segments.find_by_key(house.id, key)
    assert found is not None, key
    return found


async def test_every_workspace_gets_the_same_twenty_one_segments_in_both_languages(house: House) -> None:
    await recompute(house.admin)
    page = await segments.page(house.admin, Q(), Order("id"), Slice(first=100))
    kinds = [segment.kind for segment in page.items]
    assert {kind: kinds.count(kind) for kind in SegmentKind} == {
        SegmentKind.CELL: 15,
        SegmentKind.RFM_TIER: 3,
        SegmentKind.PRESET: 3,
        SegmentKind.RULE: 0,
        SegmentKind.STATIC: 0,
    }
    names = {segment.key: (segment.name_en, segment.name_zh) for segment in page.items}
    assert names["cell:MATURE:HIGH"] == ("Mature, high value", "成熟客户·高价值")
    assert names["tier:GOLD"] == ("RFM gold", "RFM黄金")
    assert names["VIP"] == ("VIP customers", "重点客户")


async def test_members_are_walked_in_batches_and_paged(house: House) -> None:
    ids = await settle(house.id, [Person(f"P{n}", NOON) for n in range(7)])
    await recompute(house.admin)
    group = await _segment(house, "cell:NEW:ORDINARY")
    everybody = list(ids.values())
    assert await segments.member_count(house.id, group.id) == 7
    assert await segments.member_ids_after(house.id, group.id, 0, 4) == everybody[:4]
    assert await segments.member_ids_after(house.id, group.id, everybody[3], 4) == everybody[4:]
    first = await segments.members(house.admin, group.id, Slice(first=4))
    rest = await segments.members(house.admin, group.id, Slice(first=4, after=first.cursors[-1]))
    assert [customer.id for customer in [*first.items, *rest.items]] == everybody
    assert (first.has_next, rest.has_next, await first.count()) == (True, False, 7)


async def test_customers_are_found_by_what_they_are(house: House) -> None:
    ids = await settle(
        house.id,
        [
            Person("new", NOON),
            shopper("rich", NOON, 200, 3, 20_000_000),
            shopper("steady", NOON, 1, 3, 3_000),
            *(Person(f"silent {n}", NOON - timedelta(days=300)) for n in range(5)),
        ],
    )
    await recompute(house.admin)

    async def found(where: Q) -> set[str]:
        rows = await Customer.filter(where, workspace_id=house.id)
        return {customer.external_id for customer in rows}

    assert await found(segments.placed(house.id, lifecycle=[LifecycleStage.NEW])) == {"new"}
    assert await found(
        segments.placed(house.id, lifecycle=[LifecycleStage.SILENT], value_level=[ValueLevel.HIGH])
    ) == {"rich"}
    assert await found(segments.placed(house.id, value_level=[ValueLevel.HIGH, ValueLevel.MEDIUM])) == {
        "rich"
    }
    assert await found(segments.placed(house.id, tier=[RfmTier.GOLD])) == set()
    vip = await _segment(house, "VIP")
    assert await found(segments.member_of(house.id, vip.id)) == {"rich"}
    assert await found(~segments.placed(house.id, lifecycle=[LifecycleStage.SILENT])) == {"new", "steady"}
    in_segments = await segments.segments_by_customer(house.id, [ids["rich"], ids["new"]])
    assert {segment.key for segment in in_segments[ids["rich"]]} == {
        "cell:SILENT:HIGH",
        f"tier:{RfmTier.SILVER.value}",
        "PROFIT_KEY",
        "VIP",
    }


async def test_a_stay_has_its_beginning_end_and_runs(house: House) -> None:
    ids = await settle(house.id, [Person("P", NOON, NOON)])
    first = await recompute(house.admin)
    later = NOON + timedelta(days=10)
    await house.turn(later)
    await buy(house.id, "P", ids["P"], [Bought(later, 2_000_000)])
    second = await recompute(house.admin)
    history = await segments.memberships_of(house.admin, ids["P"], Slice(first=10))
    by_id = {row["id"]: row["key"] for row in await table("segments")}
    assert [
        (by_id[stay.segment_id], stay.entered_at, stay.entered_run_id, stay.left_at, stay.left_run_id)
        for stay in reversed(history.items)
        if by_id[stay.segment_id].startswith("cell")
    ] == [
        ("cell:NEW:ORDINARY", NOON, first.id, later, second.id),
        ("cell:NEW:HIGH", later, second.id, None, None),
    ]
    assert {stay.reason for stay in history.items} == {"recompute"}
    kept = [stay for stay in history.items if by_id[stay.segment_id] == "tier:BRONZE"]
    assert [(stay.entered_at, stay.left_at) for stay in kept] == [(NOON, None)]


async def test_transitions_count_moves_from_cell_to_cell(house: House) -> None:
    ids = await settle(house.id, [Person(f"P{n}", NOON, NOON) for n in range(3)])
    await recompute(house.admin)
    middle, end = NOON + timedelta(days=10), NOON + timedelta(days=91)
    await house.turn(middle)
    for name in ("P0", "P1"):
        await buy(house.id, name, ids[name], [Bought(middle, 2_000_000)])
    await settle(house.id, [Person("late", middle, middle)])
    await recompute(house.admin)
    assert await segments.transitions(house.id, NOON, middle) == [
        Transition(NEW_ORDINARY, NEW_HIGH, 2),
        Transition(None, NEW_ORDINARY, 1),
    ]
    await house.turn(end)
    await Customer.filter(id=ids["P1"]).update(excluded=True)
    await recompute(house.admin)
    moved = await segments.transitions(house.id, NOON, end)
    assert {(row.source, row.target): row.customers for row in moved} == {
        (NEW_ORDINARY, HIGH_GROWTH): 1,
        (NEW_ORDINARY, None): 1,
        (NEW_ORDINARY, (LifecycleStage.GROWTH, ValueLevel.ORDINARY)): 1,
        (None, NEW_ORDINARY): 1,
    }
    assert await segments.transitions(house.id, end, end) == []


async def test_placements_are_loaded_by_customer_and_unknown_ones_are_absent(house: House) -> None:
    assert await segments.placements_by_customer(house.id, []) == {}
    ids = await settle(house.id, [Person(f"P{n}", NOON) for n in range(3)])
    await recompute(house.admin)
    found = await segments.placements_by_customer(house.id, [*ids.values(), 10**12])
    assert set(found) == set(ids.values())
