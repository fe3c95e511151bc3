"""The visits that are promised, against what staff can do: who is visited how, and what is left over (C-28).

Nothing is planned or changed here: it is what would follow if staff can make so many visits in a week.
"""

from dataclasses import dataclass
from datetime import date

from domain import db, timekeeping, workspaces
from domain.errors import Invalid
from domain.segments import RfmTier
from domain.tasks.care import Cadence, policy
from domain.timekeeping import Period, period_of

CALLS_PER_WEEK = 5_000
"""What the documents' teams do in a week (S4-33)."""
LARGEST = 10_000_000


@dataclass(frozen=True)
class Served:
    """So many visits to so many customers."""

    visits: int
    customers: int


@dataclass(frozen=True)
class TierCapacity:
    """One tier in its own period: what it is promised, and how far staff come with it.

    A customer whose visits are made in part by phone counts where the last of them falls. Visits by
    message need no staff.
    """

    tier: RfmTier
    period: Period
    days_left: int
    customers: int
    promised: int
    done: int
    due: Served
    phone: Served
    other: Served
    message: Served
    unmet: Served


async def capacity_plan(
    workspace_id: int, phone_per_week: int = CALLS_PER_WEEK, other_per_week: int = 0
) -> list[TierCapacity]:
    """What staff can do of the visits still due, tier by tier from gold on, whoever spent most first.

    Telephone goes to the customers of the highest value, other personal channels to those after them;
    what is left over cannot be done and is said so. Each tier is held against the days left of its own
    period; of the capacity in them, tiers before it are taken to go on needing what they need now.
    """
    for name, value in (("phonePerWeek", phone_per_week), ("otherPerWeek", other_per_week)):
        if not 0 <= value <= LARGEST:
            raise Invalid(f"{name} is between 0 and {LARGEST}", field=name)
    workspace = await workspaces.get(workspace_id)
    tz = timekeeping.zone(workspace.zone)
    today = timekeeping.local_day(await timekeeping.now(workspace_id), tz)
    care = (await policy(workspace_id)).care
    found: list[TierCapacity] = []
    for tier in RfmTier:
        cadence = care.cadence(tier)
        period = period_of(today, cadence.months)
        left = (period.after - today).days
        phone = phone_per_week * left // 7
        other = other_per_week * left // 7
        for earlier in found:
            phone -= _ceiling(earlier.phone.visits * left, earlier.days_left)
            other -= _ceiling(earlier.other.visits * left, earlier.days_left)
        given = (max(0, phone), max(0, other)) if cadence.personal else (0, 0)
        found.append(await _tier(workspace_id, tier, cadence, period, today, given))
    return found


async def _tier(
    workspace_id: int,
    tier: RfmTier,
    cadence: Cadence,
    period: Period,
    today: date,
    capacity: tuple[int, int],
) -> TierCapacity:
    tz = timekeeping.zone((await workspaces.get(workspace_id)).zone)
    start, end = period.bounds(tz)
    phone, both = capacity[0], sum(capacity)
    row = await db.one(
        """WITH made AS (
             SELECT customer_id, COUNT(*) AS visits FROM tasks
             WHERE workspace_id = :workspace AND kind = 'VISIT' AND state = 'DONE'
               AND closed_at >= :start AND closed_at < :until AND outcome ->> 'result' = 'REACHED'
             GROUP BY customer_id),
           due AS (
             SELECT p.customer_id, p.m_rank,
               CASE WHEN m.visits > CAST(:promised AS bigint) THEN CAST(:promised AS bigint)
                 ELSE COALESCE(m.visits, 0) END AS done
             FROM placements p LEFT JOIN made m ON m.customer_id = p.customer_id
             WHERE p.workspace_id = :workspace AND p.tier = :tier),
           line AS (
             SELECT done, CAST(:promised AS bigint) - done AS left_over,
               CAST(SUM(CAST(:promised AS bigint) - done)
                 OVER (ORDER BY m_rank, customer_id ROWS UNBOUNDED PRECEDING) AS bigint) AS upto
             FROM due)
           SELECT COUNT(*) AS customers, COALESCE(SUM(done), 0) AS done,
             COALESCE(SUM(left_over), 0) AS due,
             COALESCE(SUM(CASE WHEN left_over > 0 THEN 1 ELSE 0 END), 0) AS due_customers,
             COALESCE(SUM(CASE WHEN left_over > 0 AND upto <= :phone THEN 1 ELSE 0 END), 0) AS by_phone,
             COALESCE(SUM(CASE WHEN left_over > 0 AND upto <= :both THEN 1 ELSE 0 END), 0) AS by_staff
           FROM line""",
        workspace=workspace_id,
        tier=tier.value,
        start=start,
        until=end,
        promised=cadence.visits,
        phone=phone,
        both=both,
    )
    assert row is not None
    due = Served(int(row["due"]), int(row["due_customers"]))
    by_phone = Served(min(phone, due.visits), int(row["by_phone"]))
    staffed = min(both, due.visits)
    by_other = Served(staffed - by_phone.visits, int(row["by_staff"]) - by_phone.customers)
    rest = Served(due.visits - staffed, due.customers - int(row["by_staff"]))
    nothing = Served(0, 0)
    return TierCapacity(
        tier=tier,
        period=period,
        days_left=(period.after - today).days,
        customers=int(row["customers"]),
        promised=cadence.visits,
        done=int(row["done"]),
        due=due,
        phone=by_phone,
        other=by_other,
        message=nothing if cadence.personal else rest,
        unmet=rest if cadence.personal else nothing,
    )


def _ceiling(value: int, by: int) -> int:
    return -(-value // by)
