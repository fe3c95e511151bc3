"""A workspace's own targets take the place of the catalogue's at once."""

from datetime import date
from decimal import Decimal

import pytest

from domain import kpis, segments
from domain.access import Role
from domain.errors import Conflict, DomainError, Forbidden, NotFound
from domain.journal import JournalLine
from domain.kpis import Comparator, KpiStatus, KpiTarget
from tests.conftest import House, build_house
from tests.domain.kpis import scene

AT_LEAST = Comparator.AT_LEAST


async def lines() -> int:
    return await JournalLine.filter(name="kpi_target.changed").count()


def test_the_goals_of_the_strategies_are_measured_by_kpis_of_the_catalogue() -> None:
    named = {code for cell in segments.STRATEGIES.values() for code in cell.goal_kpis}
    assert named <= set(kpis.CATALOGUE)
    assert all(cell.goal_kpis for cell in segments.STRATEGIES.values())


async def test_kpis_are_found_by_their_codes(house: House) -> None:
    found = await kpis.by_codes(house.id, ["SILENT_SHARE", "REPURCHASE_RATE", "NO_SUCH"])
    assert {code: kpi.code for code, kpi in found.items()} == {
        "SILENT_SHARE": "SILENT_SHARE",
        "REPURCHASE_RATE": "REPURCHASE_RATE",
    }


async def test_the_catalogue_aims_until_the_workspace_does(house: House) -> None:
    rate = await kpis.get(house.admin, "REPURCHASE_RATE")
    assert (rate.baseline, rate.target, rate.comparator) == (Decimal("0.30"), Decimal("0.345"), AT_LEAST)
    assert (rate.version, rate.status, rate.value, rate.stale) == (0, KpiStatus.NO_DATA, None, True)
    set_to = await kpis.target_set(
        house.admin,
        "REPURCHASE_RATE",
        baseline=Decimal("0.31"),
        target=Decimal("0.4"),
        comparator=AT_LEAST,
        due_on=date(2025, 6, 3),
    )
    rate = await kpis.get(house.admin, "REPURCHASE_RATE")
    assert (rate.baseline, rate.target, rate.aim.due_on) == (
        Decimal("0.31"),
        Decimal("0.4"),
        date(2025, 6, 3),
    )
    assert (rate.version, set_to.version, await lines()) == (1, 1, 1)


async def test_a_new_target_judges_the_latest_measurement(house: House) -> None:
    await scene.placements(house.admin, await scene.customers(house.id, 4), lifecycle="SILENT")
    await scene.placements(house.admin, await scene.customers(house.id, 6))
    await scene.performed(await kpis.snapshot(house.admin))
    assert (await kpis.get(house.admin, "SILENT_SHARE")).status is KpiStatus.NOT_MET
    await kpis.target_set(house.admin, "SILENT_SHARE", target=Decimal("0.4"), comparator=Comparator.AT_MOST)
    silent = await kpis.get(house.admin, "SILENT_SHARE")
    assert (silent.status, silent.value, silent.gap) == (KpiStatus.MET, Decimal("0.4"), Decimal(0))


async def test_the_same_target_again_changes_nothing(house: House) -> None:
    for _ in range(2):
        target = await kpis.target_set(
            house.admin, "SILENT_SHARE", target=Decimal("0.1"), comparator=AT_LEAST
        )
    assert (target.version, await lines()) == (1, 1)


async def test_a_target_seen_in_another_version_is_refused(house: House) -> None:
    def aim(target: str, version: int):
        return kpis.target_set(
            house.admin, "SILENT_SHARE", target=Decimal(target), comparator=AT_LEAST, expected_version=version
        )

    await aim("0.1", 0)
    await aim("0.2", 1)
    with pytest.raises(Conflict) as refused:
        await aim("0.3", 1)
    assert isinstance(refused.value.current, KpiTarget)
    assert ((await kpis.get(house.admin, "SILENT_SHARE")).target, await lines()) == (Decimal("0.2"), 2)


@pytest.mark.parametrize(
    ("target", "baseline", "fields"),
    [
        ("1.000001", None, [("input", "target")]),
        ("-0.1", "2", [("input", "target"), ("input", "baseline")]),
        ("0.1234567", None, [("input", "target")]),
        ("NaN", "Infinity", [("input", "target"), ("input", "baseline")]),
    ],
)
async def test_what_is_no_share_is_refused_and_nothing_set(
    house: House, target: str, baseline: str | None, fields: list[tuple[str]]
) -> None:
    with pytest.raises(DomainError) as refused:
        await kpis.target_set(
            house.admin,
            "SILENT_SHARE",
            target=Decimal(target),
            baseline=None if baseline is None else Decimal(baseline),
            comparator=AT_LEAST,
        )
    assert [problem.field for problem in refused.value.problems] == fields
    assert (await KpiTarget.all().count(), await lines()) == (0, 0)


async def test_who_may_not_set_targets_sets_none(house: House) -> None:
    may = {Role.OWNER, Role.ADMIN, Role.OPS_HEAD}
    for role in set(Role) - may:
        with pytest.raises(Forbidden):
            await kpis.target_set(
                house.staff[role], "SILENT_SHARE", target=Decimal("0.1"), comparator=AT_LEAST
            )
    assert (await KpiTarget.all().count(), await lines()) == (0, 0)
    for number, role in enumerate(may):
        target = Decimal(number) / 10
        await kpis.target_set(house.staff[role], "SILENT_SHARE", target=target, comparator=AT_LEAST)


async def test_an_unknown_kpi_has_no_target(house: House) -> None:
    with pytest.raises(NotFound):
        await kpis.target_set(house.admin, "NPS", target=Decimal("0.1"), comparator=AT_LEAST)
    with pytest.raises(NotFound):
        await kpis.get(house.admin, "NPS")
    assert await kpis.find(house.admin, "NPS") is None


async def test_another_workspace_keeps_its_own_targets(house: House) -> None:
    other = await build_house("Other")
    await kpis.target_set(house.admin, "SILENT_SHARE", target=Decimal("0.1"), comparator=AT_LEAST)
    assert (await kpis.get(other.admin, "SILENT_SHARE")).target == Decimal("0.20")
