"""What SQL counts is what plain Python counts, order by order."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from domain import db
from domain.predictions import estimating, purchasing, statements
from domain.predictions.statements import Seen
from tests.conftest import NOON, House
from tests.domain.predictions.population import TODAY, buyers, counted, oddities, settled

PEOPLE = [*buyers(120), *oddities()]
CUT = TODAY - timedelta(weeks=40)
SOON = CUT + timedelta(days=30)


def seen(house: House, cut=TODAY) -> Seen:  # type: ignore[no-untyped-def]
    return Seen(house.id, NOON, cut, cut + timedelta(days=30))


async def test_a_page_tells_of_each_what_their_orders_tell(house: House) -> None:
    ids = await settled(house.id, PEOPLE)
    found = {row["customer_id"]: row for row in await statements.page(seen(house), 0, max(ids.values()))}
    wanted = counted(PEOPLE)
    assert {name for name, id in ids.items() if id in found} == set(wanted)
    for name, history in wanted.items():
        row = found[ids[name]]
        said = (row["repeats"], row["recency"], row["age"], row["spent"], bool(row["cancelled"]))
        assert said == (history.repeats, history.recency, history.age, history.spent, name == "LEFT"), name
    assert wanted["ZONE"].repeats == 1 and wanted["SAME"].repeats == 0
    assert "ONLY" not in wanted and "TEST" not in wanted and "NEVER" not in wanted
    assert wanted["TODAY"].age == 0


async def test_pages_together_are_everybody_once(house: House) -> None:
    ids = await settled(house.id, PEOPLE)
    after, met = 0, []
    while (upto := await statements.page_end(house.id, after, 7)) is not None:
        met += [row["customer_id"] for row in await statements.page(seen(house), after, upto)]
        after = upto
    assert met == sorted(ids[name] for name in counted(PEOPLE))


@pytest.mark.parametrize("cut", [TODAY, CUT])
async def test_the_groups_hold_the_customers_with_what_became_of_them(house: House, cut) -> None:  # type: ignore[no-untyped-def]
    await settled(house.id, PEOPLE)
    wanted: dict[tuple[int, int, int], Counter[str]] = {}
    soon = cut + timedelta(days=30)
    for history in counted(PEOPLE, cut).values():
        group = wanted.setdefault((history.repeats, history.recency, history.age), Counter())
        group["customers"] += 1
        group["later"] += len(history.later)
        group["quiet"] += not history.later
        group["quiet_soon"] += not any(day <= soon for day in history.later)
        group["gone"] += not any(day > soon for day in history.later)
    found, resolution = await statements.histories(seen(house, cut))
    assert resolution == 1
    names = ("customers", "later", "quiet", "quiet_soon", "gone")
    said = {(row["repeats"], row["recency"], row["age"]): [int(row[n]) for n in names] for row in found}
    assert said == {key: [group[n] for n in names] for key, group in wanted.items()}


async def test_means_are_of_the_days_after_the_first_and_above_zero(house: House) -> None:
    await settled(house.id, PEOPLE)
    wanted = Counter((h.repeats, h.spent) for h in counted(PEOPLE).values() if h.repeats and h.spent)
    found, _ = await statements.means(seen(house))
    assert {(row["repeats"], int(row["spent"])): row["customers"] for row in found} == wanted


async def test_too_many_groups_are_rounded_until_they_are_few(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(house.id, PEOPLE)
    exact, _ = await statements.histories(seen(house))
    monkeypatch.setattr(statements, "MOST_GROUPS", len(exact) - 1)
    rounded, resolution = await statements.histories(seen(house))
    assert resolution == 7
    assert all(row["recency"] % 7 == row["age"] % 7 == 0 for row in rounded)
    assert sum(row["customers"] for row in rounded) == sum(row["customers"] for row in exact)
    monkeypatch.setattr(statements, "MOST_GROUPS", 1)
    assert (await statements.histories(seen(house)))[1] == 28
    assert (await statements.means(seen(house)))[1] == 10_000


async def test_the_fit_of_groups_is_that_of_all_customers_one_by_one(house: House) -> None:
    await settled(house.id, PEOPLE)
    found = await estimating.estimate(seen(house))
    one_by_one = np.array([(h.repeats, h.recency, h.age, 7) for h in counted(PEOPLE).values()]) / 7
    plain = purchasing.Histories(one_by_one[:, 0] * 7, one_by_one[:, 1], one_by_one[:, 2], one_by_one[:, 3])
    model, fit = purchasing.fit(plain)
    assert found.purchasing_fit.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-9)
    assert vars(found.purchasing) == pytest.approx(vars(model), rel=1e-3)


async def test_another_workspace_s_orders_are_not_seen(house: House) -> None:
    from tests.conftest import build_house

    other = await build_house("Other")
    await settled(other.id, buyers(20))
    await settled(house.id, PEOPLE)
    assert await statements.first_day(house.id, NOON) == min(
        TODAY - timedelta(days=h.age) for h in counted(PEOPLE).values()
    )
    found, _ = await statements.histories(seen(house))
    assert sum(row["customers"] for row in found) == len(counted(PEOPLE))
    assert await db.value("SELECT COUNT(*) FROM predictions") == 0
