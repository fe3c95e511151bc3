"""Why a customer is placed where they are."""

from datetime import timedelta

from domain import segments
from domain.customers.models import Customer
from domain.segments import Condition, Decides, Placement, SilverRule
from tests.conftest import NOON, House, build_house
from tests.domain.segments.population import Person, recompute, settle, shopper


async def test_each_condition_has_its_value_its_line_and_whether_it_holds(house: House) -> None:
    ids = await settle(house.id, [shopper("P", NOON, 3, 4, 300_000)])
    await recompute(house.admin)
    registered = (NOON - timedelta(days=800)).isoformat()
    heard = (NOON - timedelta(days=3)).isoformat()
    found = await segments.explain(house.id, ids["P"])
    assert [
        (c.decides.value, c.answer, c.name, c.value, c.threshold, c.holds, c.decisive) for c in found
    ] == [
        ("LIFECYCLE", "CHURNED", "cancelledAt", None, NOON.isoformat(), False, False),
        ("LIFECYCLE", "CHURNED", "lastInteractionAt", heard, "12 months ago", False, False),
        ("LIFECYCLE", "SILENT", "lastInteractionAt", heard, "6 months ago", False, False),
        ("LIFECYCLE", "NEW", "registeredAt", registered, "within 90 days", False, False),
        ("LIFECYCLE", "MATURE", "registeredAt", registered, "12 months ago", True, True),
        ("LIFECYCLE", "MATURE", "frequency", "4", ">= 3", True, True),
        ("LIFECYCLE", "GROWTH", "otherwise", None, "", True, False),
        ("VALUE", "HIGH", "monetary", "CNY 3,000.00", "> CNY 10,000.00", False, False),
        ("VALUE", "MEDIUM", "monetary", "CNY 3,000.00", "> CNY 2,000.00", True, True),
        ("VALUE", "ORDINARY", "otherwise", None, "", True, False),
        ("TIER", "GOLD", "rRank", "1", "<= 0", False, False),
        ("TIER", "GOLD", "mRank", "1", "<= 0", False, False),
        ("TIER", "SILVER", "compositeRank", "1", "<= 0", False, False),
        ("TIER", "BRONZE", "otherwise", None, "", True, True),
    ]


async def test_the_thresholds_of_the_recompute_explain_it_also_after_they_were_moved(house: House) -> None:
    ids = await settle(house.id, [shopper("P", NOON, 3, 4, 300_000)])
    await recompute(house.admin)
    before = await segments.explain(house.id, ids["P"])
    await segments.thresholds_set(house.admin, "CDNOW_USD", silver_rule=SilverRule.R_AND_M)
    assert await segments.explain(house.id, ids["P"]) == before
    await recompute(house.admin)
    after = await segments.explain(house.id, ids["P"])
    assert next(c.answer for c in after if c.decides is Decides.VALUE and c.holds) == "HIGH"
    assert [c.name for c in after if c.answer == "SILVER"] == ["rRank", "mRank"]


async def test_an_interaction_since_the_recompute_does_not_contradict_the_stored_stage(house: House) -> None:
    """A placement keeps what it stood on: evaluated again, it says the same."""
    ids = await settle(house.id, [shopper("P", NOON, 200, 4, 300_000)])
    await recompute(house.admin)
    before = await segments.explain(house.id, ids["P"])
    heard = (NOON - timedelta(days=200)).isoformat()
    await Customer.filter(id=ids["P"]).update(
        last_interaction_at=NOON + timedelta(minutes=1), registered_at=NOON, cancelled_at=NOON
    )
    found = await segments.explain(house.id, ids["P"])
    assert found == before
    assert [(c.answer, c.value, c.holds) for c in found][:3] == [
        ("CHURNED", None, False),
        ("CHURNED", heard, False),
        ("SILENT", heard, True),
    ]


async def test_what_an_earlier_version_placed_is_explained_without_what_has_changed_since(
    house: House,
) -> None:
    ids = await settle(house.id, [shopper("P", NOON, 200, 4, 300_000)])
    await recompute(house.admin)
    await Placement.filter(customer_id=ids["P"]).update(heard_at=None, registered_at=None)
    await Customer.filter(id=ids["P"]).update(last_interaction_at=NOON + timedelta(minutes=1))
    found = [c for c in await segments.explain(house.id, ids["P"]) if c.decides is Decides.LIFECYCLE]
    assert [(c.answer, c.value, c.holds) for c in found][:3] == [
        ("CHURNED", None, False),
        ("CHURNED", None, False),
        ("SILENT", None, True),
    ]


async def test_who_is_not_placed_has_nothing_to_explain(house: House) -> None:
    ids = await settle(house.id, [shopper("P", NOON, 3, 4, 300_000)])
    assert await segments.explain(house.id, ids["P"]) == []
    await recompute(house.admin)
    assert await segments.explain(house.id, 10**12) == []
    assert all(isinstance(condition, Condition) for condition in await segments.explain(house.id, ids["P"]))


async def test_of_each_kind_only_what_decided_is_marked(house: House) -> None:
    people = [
        Person("gone", NOON - timedelta(days=800), NOON - timedelta(days=3), cancelled=NOON),
        shopper("rich", NOON, 200, 3, 20_000_000),
        shopper("mature", NOON, 3, 4, 300_000),
    ]
    ids = await settle(house.id, people)
    await recompute(house.admin)
    placed = await segments.placements_by_customer(house.id, ids.values())
    for customer_id, found in (await segments.explanations(house.id, ids.values())).items():
        answers = {
            decides: {c.answer for c in found if c.decisive and c.decides is decides} for decides in Decides
        }
        placement = placed[customer_id]
        assert answers == {
            Decides.LIFECYCLE: {placement.lifecycle},
            Decides.VALUE: {placement.value_level},
            Decides.TIER: {placement.tier},
        }
        assert all(c.holds for c in found if c.decisive)
    gone = await segments.explain(house.id, ids["gone"])
    assert [c.name for c in gone if c.decisive and c.decides is Decides.LIFECYCLE] == ["cancelledAt"]


async def test_money_is_shown_in_the_currency_s_own_units(database: str) -> None:
    house = await build_house("Tokyo", currency="JPY")
    ids = await settle(house.id, [shopper("P", NOON, 3, 4, 300_000)])
    await recompute(house.admin)
    high = next(c for c in await segments.explain(house.id, ids["P"]) if c.answer == "HIGH")
    assert (high.value, high.threshold) == ("JPY 300,000", "> JPY 1,000,000")
