"""Where a customer stands in the relationship, to the second."""

from datetime import datetime, timedelta

import pytest

from domain import segments
from domain.customers.models import OrderStatus
from domain.segments import LifecycleStage, ValueLevel
from tests.conftest import build_house
from tests.domain.segments.population import (
    SHANGHAI,
    Bought,
    Person,
    at,
    placements,
    recompute,
    settle,
    shopper,
)

LONG_AGO = at("2020-01-01T00:00")
SECOND = timedelta(seconds=1)


async def _stages(as_of: datetime, people: list[Person]) -> dict[str, str]:
    house = await build_house(clock_at=as_of)
    names = {i: name for name, i in (await settle(house.id, people)).items()}
    await recompute(house.admin)
    return {names[i]: placement.lifecycle.value for i, placement in (await placements(house.id)).items()}


@pytest.mark.parametrize(
    ("as_of", "first", "second"),
    [
        (at("2025-03-03T10:00"), "SILENT", "SILENT"),
        (at("2025-03-03T10:00") - SECOND, "GROWTH", "SILENT"),
        (at("2025-02-28T10:00"), "GROWTH", "SILENT"),
        (at("2025-02-28T10:00") - SECOND, "GROWTH", "GROWTH"),
    ],
)
async def test_silence_begins_at_the_clamped_anniversary(
    database: str, as_of: datetime, first: str, second: str
) -> None:
    stages = await _stages(
        as_of,
        [
            Person("first", LONG_AGO, at("2024-09-03T10:00")),
            Person("second", LONG_AGO, at("2024-08-31T10:00")),
        ],
    )
    assert stages == {"first": first, "second": second}


async def test_stages_are_tested_in_their_order(database: str) -> None:
    now = at("2025-03-03T12:00")
    recent = [Bought(now - timedelta(days=n), 100) for n in range(3)]
    year = at("2024-03-03T12:00")
    stages = await _stages(
        now,
        [
            Person("cancelled", now, now, cancelled=now, orders=recent),
            Person("cancels later", year, now, cancelled=now + SECOND, orders=recent),
            Person("silent a year", LONG_AGO, year),
            Person("silent a year less a second", LONG_AGO, year + SECOND),
            Person("silent beats new", now, now - timedelta(days=200)),
            Person("ninety days", now - timedelta(days=90), now, orders=recent),
            Person("ninety days and a second", now - timedelta(days=90) - SECOND, now, orders=recent),
            Person("never heard of", now - timedelta(days=185)),
            Person("mature", year, now, orders=recent),
            Person("tenure too short", year + SECOND, now, orders=recent),
            Person("two orders", year, now, orders=recent[:2]),
            Person("third refunded", year, now, orders=[*recent[:2], Bought(now, 100, OrderStatus.REFUNDED)]),
            Person("third too old", year, now, orders=[*recent[:2], Bought(year - SECOND, 100)]),
            Person("third a year ago", year, now, orders=[*recent[:2], Bought(year, 100)]),
            Person("third tomorrow", year, now, orders=[*recent[:2], Bought(now + SECOND, 100)]),
        ],
    )
    assert stages == {
        "cancelled": "CHURNED",
        "cancels later": "MATURE",
        "silent a year": "CHURNED",
        "silent a year less a second": "SILENT",
        "silent beats new": "SILENT",
        "ninety days": "NEW",
        "ninety days and a second": "GROWTH",
        "never heard of": "SILENT",
        "mature": "MATURE",
        "tenure too short": "GROWTH",
        "two orders": "GROWTH",
        "third refunded": "GROWTH",
        "third too old": "GROWTH",
        "third a year ago": "MATURE",
        "third tomorrow": "GROWTH",
    }


async def test_value_lines_are_exceeded_strictly(database: str) -> None:
    now = at("2025-03-03T12:00")
    house = await build_house(clock_at=now)
    amounts = [200_000, 200_001, 1_000_000, 1_000_001, 5_000_000, 5_000_001, 10_000_000, 10_000_001]
    ids = await settle(house.id, [shopper(str(minor), now, 1, 1, minor) for minor in amounts])
    await recompute(house.admin)
    placed = await placements(house.id)
    found = [placed[ids[str(minor)]] for minor in amounts]
    assert [placement.value_level for placement in found] == [
        ValueLevel.ORDINARY,
        *[ValueLevel.MEDIUM] * 2,
        *[ValueLevel.HIGH] * 5,
    ]
    assert [placement.profit_key for placement in found] == [False] * 5 + [True] * 3
    assert [placement.vip for placement in found] == [False] * 7 + [True]


@pytest.mark.parametrize(("day", "holds"), [("2025-02-28", True), ("2025-03-01", False)])
async def test_a_first_order_is_recent_for_three_clamped_months(database: str, day: str, holds: bool) -> None:
    now = at(f"{day}T09:00")
    house = await build_house(clock_at=now)
    bought = [Bought(at("2024-11-30T23:30"), 100)]
    ids = await settle(house.id, [Person("first in November", LONG_AGO, now, orders=bought)])
    await recompute(house.admin)
    assert (await placements(house.id))[ids["first in November"]].new_3m is holds
    group = await segments.find_by_key(house.id, "NEW_3M")
    assert group is not None
    assert await segments.member_count(house.id, group.id) == int(holds)


async def test_a_day_is_the_workspaces_day(database: str) -> None:
    """16:30 UTC is half past midnight of the next day in Shanghai."""
    now = at("2025-03-03T12:00")
    house = await build_house(clock_at=now)
    ids = await settle(house.id, [Person("P", LONG_AGO, now, orders=[Bought(at("2025-03-02T00:30"), 100)])])
    await recompute(house.admin)
    placement = (await placements(house.id))[ids["P"]]
    assert placement.last_order_on is not None
    assert (now.astimezone(SHANGHAI).date() - placement.last_order_on).days == 1


async def test_the_matrix_shows_fifteen_cells_that_sum_to_everybody(database: str) -> None:
    now = at("2025-03-03T12:00")
    house = await build_house(clock_at=now)
    people = [
        shopper(f"P{n}", now, recency_days=n * 4, orders=1 + n % 4, spend_minor=1 + n * 15_000)
        for n in range(100)
    ]
    await settle(house.id, people)
    await recompute(house.admin)
    cells = await segments.matrix(house.id)
    assert len(cells) == 15
    assert sum(cells.values()) == 100
    assert cells[LifecycleStage.NEW, ValueLevel.HIGH] == 0
    last = await segments.latest(house.id)
    assert last is not None
    assert sum(last.counts["cells"].values()) == sum(last.counts["tiers"].values()) == 100
