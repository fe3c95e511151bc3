"""The lines between groups: presets, versions and refusals."""

import asyncio
from typing import Any

import pytest

from domain import segments
from domain.access import Role
from domain.errors import Conflict, DomainError, Forbidden
from domain.segments import PRESETS, SilverRule, Thresholds
from tests.conftest import House
from tests.domain.segments.population import table


async def test_the_documents_lines_hold_before_any_were_set(house: House) -> None:
    assert await segments.thresholds(house.id) == (0, "DOCUMENTS", Thresholds())


async def test_each_change_is_a_version_and_old_versions_stay_readable(house: House) -> None:
    first = await segments.thresholds_set(house.admin, "CDNOW_USD")
    second = await segments.thresholds_set(house.admin, vip_above_minor=500_00, silver_rule="M_ONLY")
    assert first == (1, "CDNOW_USD", PRESETS["CDNOW_USD"])
    assert (second.number, second.preset) == (2, "CDNOW_USD")
    assert (second.thresholds.vip_above_minor, second.thresholds.high_above_minor) == (500_00, 125_00)
    assert second.thresholds.silver_rule is SilverRule.M_ONLY
    assert await segments.thresholds(house.id) == second
    assert await segments.thresholds(house.id, 1) == first
    assert await segments.thresholds(house.id, 0) == (0, "DOCUMENTS", Thresholds())


async def test_the_same_lines_again_make_no_new_version(house: House) -> None:
    await segments.thresholds_set(house.admin, new_days=30)
    assert (await segments.thresholds_set(house.admin, new_days=30)).number == 1


async def test_a_preset_forgets_earlier_changes(house: House) -> None:
    await segments.thresholds_set(house.admin, new_days=30)
    assert await segments.thresholds_set(house.admin, "DOCUMENTS") == (2, "DOCUMENTS", Thresholds())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"preset": "NOBODYS"}, "preset"),
        ({"gold_r_percent": 0}, "input.goldRPercent"),
        ({"gold_m_percent": 101}, "input.goldMPercent"),
        ({"silver_percent": -1}, "input.silverPercent"),
        ({"medium_above_minor": 1_000_000}, "input.highAbove"),
        ({"medium_above_minor": -1}, "input.mediumAbove"),
        ({"new_days": 0}, "input.newDays"),
        ({"silent_months": 12}, "input.churnedMonths"),
        ({"mature_orders": 0}, "input.matureOrders"),
        ({"vip_above_minor": 10**15 + 1}, "input.vipAbove"),
        ({"bronze_percent": 10}, "input.bronzePercent"),
    ],
)
async def test_impossible_lines_are_refused_and_nothing_is_stored(
    house: House, changes: dict[str, Any], field: str
) -> None:
    before = await table("setting_versions"), await table("journal")
    with pytest.raises(DomainError) as refusal:
        await segments.thresholds_set(house.admin, **changes)
    assert [problem.field for problem in refusal.value.problems] == [tuple(field.split("."))]
    assert (await table("setting_versions"), await table("journal")) == before


async def test_every_contradiction_is_named_at_once(house: House) -> None:
    with pytest.raises(DomainError) as refusal:
        await segments.thresholds_set(house.admin, gold_r_percent=0, silent_months=24, high_above_minor=0)
    assert {problem.field for problem in refusal.value.problems} == {
        ("input", "goldRPercent"),
        ("input", "churnedMonths"),
        ("input", "highAbove"),
    }


async def test_lines_that_moved_since_they_were_read_are_not_overwritten(house: House) -> None:
    await segments.thresholds_set(house.admin, expected=0, new_days=30)
    with pytest.raises(Conflict):
        await segments.thresholds_set(house.admin, expected=0, new_days=60)
    assert (await segments.thresholds(house.id)).thresholds.new_days == 30


async def test_ten_at_once_are_ten_versions_and_the_lines_of_all_are_moved(house: House) -> None:
    moves = {
        name: getattr(Thresholds(), name) + 1 for name in ("new_days", "mature_orders", "vip_above_minor")
    }
    callers = [
        *(segments.thresholds_set(house.admin, **{name: value}) for name, value in moves.items()),
        *(segments.thresholds_set(house.owner, silver_percent=50 + n) for n in range(7)),
    ]
    made = await asyncio.gather(*callers)
    assert sorted(version.number for version in made) == list(range(1, 11))
    held = await segments.thresholds(house.id)
    assert {name: getattr(held.thresholds, name) for name in moves} == moves
    assert [line["name"] for line in await table("journal")].count("setting.changed") == 10


async def test_ten_with_one_wish_at_once_are_one_version(house: House) -> None:
    made = await asyncio.gather(*(segments.thresholds_set(house.admin, "CDNOW_USD") for _ in range(10)))
    assert {version.number for version in made} == {1}
    assert len(await table("setting_versions")) == 1


async def test_of_ten_at_once_who_saw_the_same_lines_one_moves_them(house: House) -> None:
    told = await asyncio.gather(
        *(segments.thresholds_set(house.admin, expected=0, new_days=30 + n) for n in range(10)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in told) == ["Conflict"] * 9 + ["ThresholdsVersion"]
    assert len(await table("setting_versions")) == 1


async def test_only_an_owner_or_admin_moves_the_lines(house: House) -> None:
    with pytest.raises(Forbidden):
        await segments.thresholds_set(house.staff[Role.ANALYST], new_days=30)
    assert await table("setting_versions") == []


def test_every_preset_is_possible() -> None:
    for lines in PRESETS.values():
        lines.check()
        assert Thresholds.of(lines.document()) == lines
