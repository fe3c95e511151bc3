"""The lines between groups: presets, versions and refusals."""

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


async def test_only_an_owner_or_admin_moves_the_lines(house: House) -> None:
    with pytest.raises(Forbidden):
        await segments.thresholds_set(house.staff[Role.ANALYST], new_days=30)
    assert await table("setting_versions") == []


def test_every_preset_is_possible() -> None:
    for lines in PRESETS.values():
        lines.check()
        assert Thresholds.of(lines.document()) == lines
