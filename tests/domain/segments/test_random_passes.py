"""After any sequence of events and passes, quick ones agree with a plain loop, and exact ones with a full one."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain import customers, db, runs, segments, timekeeping, workspaces
from domain.access import system
from domain.customers.models import OrderStatus
from domain.segments import RecomputeMode, Segmentation, SilverRule
from tests.domain.segments.population import SHANGHAI, Bought, Person, at, buy, settle
from tests.domain.segments.test_incremental import published

BOUNDED = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STARTS = [at(day) for day in ("2025-02-27T10:00", "2024-02-28T10:00", "2024-08-31T23:59:59")]
"""Before ends of months, one of them of a leap year, at which anniversaries are clamped."""
STEPS = [timedelta(0), timedelta(seconds=1), timedelta(hours=15), timedelta(days=1), timedelta(days=40)]
NAMES = [f"P{number}" for number in range(8)]
OWN = ("lifecycle", "value_level", "last_order_on", "frequency", "monetary_minor", "vip", "new_3m")

moments = st.tuples(st.sampled_from([0, 3, 6, 12]), st.sampled_from([-1, 0, 1, 2, 90]))
events = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from(NAMES), moments, st.sampled_from([1, 50, 51, 101, 500])),
    st.tuples(st.just("refund"), st.integers(0, 30)),
    st.tuples(st.just("heard"), st.sampled_from(NAMES)),
    st.tuples(st.just("register"), st.sampled_from([*NAMES, "Q1", "Q2"]), moments),
    st.tuples(st.just("exclude"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("cancel"), st.sampled_from(NAMES), moments),
    st.tuples(st.just("turn"), st.sampled_from(STEPS)),
    st.tuples(st.just("quick")),
    st.tuples(st.just("exact")),
)


def _instant(now: datetime, moment: tuple[int, int]) -> datetime:
    """So many months and days ago; a little ahead for a negative number."""
    months, days = moment
    return timekeeping.add_months(now, -months, SHANGHAI) - timedelta(days=days)


async def _happens(workspace_id: int, ids: dict[str, int], event: tuple[Any, ...]) -> None:
    who, now = system(workspace_id), await timekeeping.now(workspace_id)
    name, *rest = event
    if name == "buy":
        buyer, moment, minor = rest
        await buy(workspace_id, buyer, ids[buyer], [Bought(_instant(now, moment), minor)])
    elif name == "refund":
        orders = await db.rows("SELECT id FROM orders WHERE workspace_id = :w ORDER BY id", w=workspace_id)
        if orders:
            await customers.set_order_status(who, orders[rest[0] % len(orders)]["id"], OrderStatus.REFUNDED)
    elif name == "heard":
        row = f"{rest[0]} {await db.value('SELECT COUNT(*) FROM behaviour_events')}"
        await customers.record_event(who, row, customer_id=ids[rest[0]], name="login", occurred_at=now)
    elif name == "register":
        known, _ = await customers.upsert(who, rest[0], registered_at=_instant(now, rest[1]))
        ids[rest[0]] = known.id
    elif name == "exclude":
        await customers.set_excluded(who, ids[rest[0]], rest[1])
    elif name == "cancel":
        await customers.cancel_relationship(who, ids[rest[0]], _instant(now, rest[1]))
    elif name == "turn":
        await workspaces.turn_clock(workspace_id, now, now + rest[0])
    else:
        await _place(workspace_id, RecomputeMode(name.upper()))


async def _place(workspace_id: int, mode: RecomputeMode) -> Segmentation:
    run = await segments.recompute(system(workspace_id), mode)
    assert await runs.perform(run.id, "worker", 30)
    return await Segmentation.get(run_id=run.id)


async def _own(workspace_id: int) -> list[tuple[Any, ...]]:
    found = await db.rows(
        f"""SELECT customer_id, {", ".join(OWN)} FROM placements WHERE workspace_id = :workspace
            ORDER BY customer_id""",
        workspace=workspace_id,
    )
    return [tuple(row.values()) for row in found]


@BOUNDED
@given(
    start=st.sampled_from(STARTS),
    rule=st.sampled_from(SilverRule),
    happens=st.lists(events, min_size=3, max_size=14),
)
async def test_quick_then_exact_is_as_if_done_in_full(
    database: str, start: datetime, rule: SilverRule, happens: list[tuple[Any, ...]]
) -> None:
    workspace = await workspaces.create("Town", clock_at=start)
    people = [
        Person(name, start - timedelta(days=91 * number), orders=[Bought(start, 40 * number)])
        for number, name in enumerate(NAMES)
    ]
    ids = await settle(workspace.id, people)
    await segments.thresholds_set(
        system(workspace.id),
        high_above_minor=100,
        medium_above_minor=50,
        vip_above_minor=500,
        gold_m_percent=30,
        silver_rule=rule,
    )
    await _place(workspace.id, RecomputeMode.FULL)
    for event in happens:
        await _happens(workspace.id, ids, event)

    quick = await _place(workspace.id, RecomputeMode.QUICK)
    own = await _own(workspace.id)
    exact = await _place(workspace.id, RecomputeMode.EXACT)
    assert await _own(workspace.id) == own, "ranks alone are left to the exact pass"
    incremental = await published()
    full = await _place(workspace.id, RecomputeMode.FULL)
    assert (quick.mode, exact.mode) == (RecomputeMode.QUICK, RecomputeMode.EXACT)
    assert (full.drift, full.changed) == (0, 0)
    assert await published() == incremental
    assert quick.customers == exact.customers == full.customers == len(own)
    assert exact.counts == full.counts == quick.counts | {"tiers": full.counts["tiers"]}
    assert await segments.waiting(workspace.id) == 0
