"""The set-based recompute says the same as a plain loop over the customers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import segments, timekeeping, workspaces
from domain.access import system
from domain.customers.models import OrderStatus
from domain.segments import Condition, SilverRule, Thresholds
from tests.domain.segments.population import (
    SHANGHAI,
    Bought,
    Person,
    at,
    placements,
    recompute,
    settle,
)

TWICE = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
AS_OF = st.sampled_from(
    [at(day) for day in ("2025-02-28T10:00", "2024-02-29T00:00", "2025-03-03T10:00", "2024-12-31T23:59:59")]
)
NUDGES = st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(seconds=-1), timedelta(days=3)])


@st.composite
def _instants(draw: st.DrawFn, as_of: datetime) -> datetime:
    """Instants on and about the lines: so many months or days back, some a second off."""
    months, days = draw(st.sampled_from([0, 3, 6, 12, 13])), draw(st.sampled_from([0, 0, 1, 89, 90]))
    return timekeeping.add_months(as_of, -months, SHANGHAI) - timedelta(days=days) + draw(NUDGES)


@st.composite
def _towns(draw: st.DrawFn) -> tuple[datetime, list[Person], Thresholds]:
    as_of = draw(AS_OF)
    when = _instants(as_of)
    orders = st.builds(
        Bought,
        when,
        st.sampled_from([0, 1, 50, 51, 100, 101]),
        st.sampled_from([OrderStatus.PAID, OrderStatus.PAID, OrderStatus.DELIVERED, OrderStatus.REFUNDED]),
    )
    size = draw(st.integers(0, 14))
    people = [
        Person(
            f"P{number}",
            draw(when),
            draw(st.none() | when),
            draw(st.none() | st.none() | when),
            draw(st.sampled_from([False, False, False, True])),
            draw(st.lists(orders, max_size=5)),
        )
        for number in range(size)
    ]
    lines = Thresholds(
        high_above_minor=100,
        medium_above_minor=50,
        profit_key_above_minor=150,
        vip_above_minor=200,
        gold_r_percent=draw(st.sampled_from([20, 50, 100])),
        gold_m_percent=draw(st.sampled_from([15, 50, 100])),
        silver_percent=draw(st.sampled_from([40, 70])),
        silver_rule=draw(st.sampled_from(SilverRule)),
    )
    return as_of, people, lines


@dataclass
class Figures:
    id: int
    person: Person
    first: date | None
    last: date | None
    frequency: int
    monetary: int

    @property
    def recency(self) -> tuple[bool, int]:
        return (self.last is None, -self.last.toordinal() if self.last else 0)


def _figures(customer_id: int, person: Person, as_of: datetime) -> Figures:
    counted = [o for o in person.orders if o.status is not OrderStatus.REFUNDED and o.at <= as_of]
    days = sorted(timekeeping.local_day(order.at, SHANGHAI) for order in counted)
    since = timekeeping.add_months(as_of, -12, SHANGHAI)
    year = [order.minor for order in counted if order.at >= since]
    return Figures(
        customer_id, person, days[0] if days else None, days[-1] if days else None, len(year), sum(year)
    )


def _stage(of: Figures, as_of: datetime, lines: Thresholds) -> str:
    person = of.person
    heard = person.interacted or person.registered

    def passed(moment: datetime, months: int) -> bool:
        return timekeeping.add_months(moment, months, SHANGHAI) <= as_of

    if (person.cancelled and person.cancelled <= as_of) or passed(heard, lines.churned_months):
        return "CHURNED"
    if passed(heard, lines.silent_months):
        return "SILENT"
    if as_of - person.registered <= timedelta(days=lines.new_days):
        return "NEW"
    if passed(person.registered, lines.mature_tenure_months) and of.frequency >= lines.mature_orders:
        return "MATURE"
    return "GROWTH"


def _ranked(everybody: Sequence[Figures]) -> dict[int, tuple[int, int, int, int]]:
    def ranks(key: object) -> dict[int, int]:
        return {of.id: n for n, of in enumerate(sorted(everybody, key=key), 1)}  # type: ignore[call-overload]

    r = ranks(lambda of: (of.recency, -of.monetary, -of.frequency, of.id))
    f = ranks(lambda of: (-of.frequency, -of.monetary, of.recency, of.id))
    m = ranks(lambda of: (-of.monetary, of.recency, -of.frequency, of.id))
    composite = ranks(lambda of: (r[of.id] + f[of.id] + m[of.id], m[of.id], r[of.id], of.id))
    return {of.id: (r[of.id], f[of.id], m[of.id], composite[of.id]) for of in everybody}


def _tier(ranks: tuple[int, int, int, int], n: int, lines: Thresholds) -> str:
    r, _, m, composite = ranks

    def within(rank: int, percent: int) -> bool:
        return rank * 100 <= percent * n

    if within(r, lines.gold_r_percent) and within(m, lines.gold_m_percent):
        return "GOLD"
    silver = {
        SilverRule.COMPOSITE: within(composite, lines.silver_percent),
        SilverRule.M_ONLY: within(m, lines.silver_percent),
        SilverRule.R_AND_M: within(r, lines.silver_percent) and within(m, lines.silver_percent),
    }
    return "SILVER" if silver[lines.silver_rule] else "BRONZE"


def _explained(conditions: Sequence[Condition]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for (decides, answer), group in groupby(conditions, key=lambda c: (c.decides.value, c.answer)):
        holds = [condition.holds for condition in group]
        if any(holds) if answer == "CHURNED" else all(holds):
            answers.setdefault(decides, answer)
    return answers


@TWICE
@given(town=_towns())
async def test_placements_ranks_and_reasons_agree_with_a_plain_loop(
    database: str, town: tuple[datetime, list[Person], Thresholds]
) -> None:
    as_of, people, lines = town
    workspace = await workspaces.create("Town", clock_at=as_of)
    who = system(workspace.id)
    ids = await settle(workspace.id, people)
    await segments.thresholds_set(who, **lines.document())
    await recompute(who)

    everybody = [_figures(ids[person.name], person, as_of) for person in people if not person.excluded]
    ranks = _ranked(everybody)
    placed = await placements(workspace.id)
    assert set(placed) == {of.id for of in everybody}
    today = timekeeping.local_day(as_of, SHANGHAI)
    for of in everybody:
        found = placed[of.id]
        assert (found.r_rank, found.f_rank, found.m_rank, found.composite_rank) == ranks[of.id]
        assert (found.last_order_on, found.frequency, found.monetary_minor) == (
            of.last,
            of.frequency,
            of.monetary,
        )
        value = "HIGH" if of.monetary > 100 else "MEDIUM" if of.monetary > 50 else "ORDINARY"
        answers = {
            "LIFECYCLE": _stage(of, as_of, lines),
            "VALUE": value,
            "TIER": _tier(ranks[of.id], len(everybody), lines),
        }
        assert {
            "LIFECYCLE": found.lifecycle.value,
            "VALUE": found.value_level.value,
            "TIER": found.tier.value,
        } == answers
        assert _explained(await segments.explain(workspace.id, of.id)) == answers
        assert (found.vip, found.profit_key) == (of.monetary > 200, of.monetary > 150)
        assert found.new_3m is (of.first is not None and timekeeping.add_months_on(of.first, 3) >= today)
        groups = await segments.segments_by_customer(workspace.id, [of.id])
        assert {group.key for group in groups[of.id]} == {
            f"cell:{found.lifecycle.value}:{found.value_level.value}",
            f"tier:{found.tier.value}",
            *(["VIP"] if found.vip else []),
            *(["PROFIT_KEY"] if found.profit_key else []),
            *(["NEW_3M"] if found.new_3m else []),
        }
