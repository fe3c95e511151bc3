"""A keyset page is a slice of the sorted list, whatever the direction, the ties and the writes between."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import paging
from domain.errors import Invalid
from domain.paging import MAXIMUM, BadCursor, Order, Page, Slice
from domain.workspaces import Team
from tests.conftest import House

FIELDS = ["id", "version", "created_at", "name"]
ORDERS = [Order(field, descending) for field in FIELDS for descending in (False, True)]
IDS = [f"{order.field}-{'falling' if order.descending else 'rising'}" for order in ORDERS]
START = datetime(2025, 1, 1, tzinfo=UTC)


async def _teams(house: House, chance: random.Random, count: int = 45) -> list[Team]:
    """Teams with few versions and few instants, so that most keys are shared."""
    letters = "aZé中_-'\"ß "
    for n in range(count):
        await Team.create(
            workspace_id=house.id,
            name="".join(chance.choices(letters, k=4)) + str(n),
            version=chance.randint(1, 6),
            created_at=START + timedelta(microseconds=chance.randint(0, 4)),
        )
    return await Team.filter(workspace_id=house.id)


def _sorted(teams: list[Team], order: Order) -> list[Team]:
    return sorted(teams, key=lambda t: (getattr(t, order.field), t.id), reverse=order.descending)


async def _page(house: House, order: Order, **part: Any) -> Page[Team]:
    return await paging.page(Team.filter(workspace_id=house.id), order, Slice(**part))


@pytest.mark.parametrize("order", ORDERS, ids=IDS)
async def test_a_page_is_a_slice_of_the_sorted_list(house: House, order: Order) -> None:
    chance = random.Random(IDS[ORDERS.index(order)])
    whole = _sorted(await _teams(house, chance), order)
    cursors = [paging.encode([getattr(team, order.field), team.id]) for team in whole]
    for _ in range(60):
        start = chance.choice([None, *range(len(whole))])
        end = chance.choice([None, *range(len(whole))])
        size = chance.randint(1, 50)
        way = chance.choice(["first", "last"])
        part: dict[str, Any] = {way: size}
        if start is not None:
            part["after"] = cursors[start]
        if end is not None:
            part["before"] = cursors[end]
        between = whole[0 if start is None else start + 1 : end]
        wanted = between[:size] if way == "first" else between[-size:]
        page = await _page(house, order, **part)
        assert [team.id for team in page.items] == [team.id for team in wanted], part
        assert page.cursors == [cursors[whole.index(team)] for team in wanted]
        more = len(between) > size
        assert (page.has_next, page.has_previous) == (
            (more, start is not None) if way == "first" else (end is not None, more)
        )
        assert await page.count() == len(whole)


@pytest.mark.parametrize("order", ORDERS, ids=IDS)
async def test_walking_either_way_meets_every_row_once(house: House, order: Order) -> None:
    whole = [team.id for team in _sorted(await _teams(house, random.Random(7)), order)]
    for size in (1, 7, 45, 100):
        met: list[int] = []
        page = await _page(house, order, first=size)
        while True:
            met += [team.id for team in page.items]
            if not page.has_next:
                break
            page = await _page(house, order, first=size, after=page.cursors[-1])
        assert met == whole
        met = []
        page = await _page(house, order, last=size)
        while True:
            met = [team.id for team in page.items] + met
            if not page.has_previous:
                break
            page = await _page(house, order, last=size, before=page.cursors[0])
        assert met == whole


async def test_writes_between_two_pages_neither_repeat_nor_hide_a_row(house: House) -> None:
    order = Order("version")
    teams = _sorted(await _teams(house, random.Random(3)), order)
    page = await _page(house, order, first=10)
    await Team.filter(id__in=[page.items[-1].id, page.items[1].id]).delete()  # the cursor's own row, too
    early = await Team.create(workspace_id=house.id, name="early", version=0, created_at=START)
    rest = await _page(house, order, first=100, after=page.cursors[-1])
    assert [team.id for team in rest.items] == [team.id for team in teams[10:]]
    assert early.id not in {team.id for team in rest.items}


async def test_without_a_size_a_page_has_twenty(house: House) -> None:
    await _teams(house, random.Random(1))
    page = await _page(house, Order("id"))
    assert (len(page.items), page.has_next, page.has_previous) == (20, True, False)


async def test_an_empty_list_has_one_empty_page(house: House) -> None:
    page = await paging.page(Team.filter(workspace_id=house.id, name="none"), Order("name"), Slice(last=5))
    assert (page.items, page.cursors, page.has_next, page.has_previous) == ([], [], False, False)
    assert await page.count() == 0


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"first": 0}, "first"),
        ({"first": -1}, "first"),
        ({"first": MAXIMUM + 1}, "first"),
        ({"last": 0}, "last"),
        ({"last": MAXIMUM + 1}, "last"),
        ({"first": 1, "last": 1}, "last"),
    ],
)
def test_a_size_out_of_bounds_is_refused(part: dict[str, int], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        Slice(**part)  # type: ignore[arg-type]
    assert refused.value.problems[0].field == (field,)
    assert Slice(first=MAXIMUM).size == MAXIMUM


def _cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD = {
    "empty": "",
    "no base64": "%%%",
    "not ascii": "é中",
    "no json": base64.urlsafe_b64encode(b"\xff\xfe{").decode(),
    "no list": _cursor({"a": 1}),
    "too short": _cursor([1]),
    "too long": _cursor([1, 2, 3]),
    "no id": _cursor(["x", "y"]),
    "null id": _cursor(["x", None]),
    "true id": _cursor(["x", True]),
    "half an id": _cursor(["x", 1.5]),
    "huge id": _cursor(["x", 10**30]),
    "list key": _cursor([[1], 1]),
    "null key": _cursor([None, 1]),
    "object key": _cursor([{"a": 1}, 1]),
    "deep": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
}
OF_ANOTHER_LIST = {
    "created_at": {"word": "word", "number": 5, "day": "2025-13-01T00:00:00+00:00", "no zone": "9" * 30},
    "version": {"word": "word", "huge": 10**30, "instant": "2025-01-01T00:00:00+00:00", "infinite": 1e999},
    "name": {"number": 5, "nul": "a\0b", "surrogate": "\ud800"},
}


@pytest.mark.parametrize("side", ["after", "before"])
@pytest.mark.parametrize("field", FIELDS)
async def test_what_is_no_cursor_is_refused(house: House, field: str, side: str) -> None:
    for what, cursor in BAD.items():
        with pytest.raises(BadCursor) as refused:
            await _page(house, Order(field), first=5, **{side: cursor})
            pytest.fail(what)
        assert refused.value.problems[0].field == (side,), what


@pytest.mark.parametrize("field", list(OF_ANOTHER_LIST))
async def test_a_cursor_of_another_list_is_refused(house: House, field: str) -> None:
    for what, key in OF_ANOTHER_LIST[field].items():
        with pytest.raises(BadCursor):
            await _page(house, Order(field), first=5, after=_cursor([key, 1]))
            pytest.fail(what)


@pytest.mark.parametrize("order", ORDERS, ids=IDS)
async def test_the_first_of_each_parent_is_its_own_first_page(house: House, order: Order) -> None:
    """The list of each parent, here of each version, paged by itself and all in one statement."""
    await _teams(house, random.Random(5))
    query = Team.filter(workspace_id=house.id)
    for part in (Slice(first=3), Slice(last=4), Slice(first=100)):
        found = await paging.first_of_each(query, "version", [*range(1, 8)], order, part)
        assert list(found) == [*range(1, 8)]
        for version, page in found.items():
            alone = await paging.page(query.filter(version=version), order, part)
            assert [team.id for team in page.items] == [team.id for team in alone.items]
            assert page.cursors == alone.cursors
            assert (page.has_next, page.has_previous) == (alone.has_next, alone.has_previous)
            assert await page.count() == await alone.count()
