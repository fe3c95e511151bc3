"""The visits that each care tier is promised: what is due, what is done, and the work that is still to open.

Pure rules here; `planning` reads and writes.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from domain.segments import RfmTier
from domain.tasks.care import Cadence
from domain.timekeeping import Period, period_of


class QuotaState(StrEnum):
    """How a customer's visits stand against what their tier asks for."""

    DONE = "DONE"
    ON_TRACK = "ON_TRACK"
    BEHIND = "BEHIND"


@dataclass(frozen=True)
class Quota:
    """One customer's visits in the period that holds a day (S4-27 to S4-29)."""

    tier: RfmTier
    period: Period
    required: int
    done: int
    day: date

    @property
    def remaining(self) -> int:
        return max(0, self.required - self.done)

    @property
    def expected(self) -> int:
        """How many visits should be done by the end of the day, spread evenly over the period."""
        return self.required * ((self.day - self.period.first).days + 1) // self.period.days

    @property
    def state(self) -> QuotaState:
        if self.remaining == 0:
            return QuotaState.DONE
        return QuotaState.BEHIND if self.done < self.expected else QuotaState.ON_TRACK


def period_key(tier: RfmTier, period: Period) -> str:
    return f"{tier.value}:{period.key}"


def dedupe_key(customer_id: int, tier: RfmTier, period: Period, slot: int) -> str:
    return f"visit:{customer_id}:{period_key(tier, period)}:{slot}"


def _share(customer_id: int) -> float:
    """A fixed number from 0 to 1 for each customer, so that a tier's visits spread over their days."""
    return customer_id * 2654435761 % 2**32 / 2**32  # Knuth's multiplicative hash


def planned_on(customer_id: int, period: Period, slot: int, visits: int, today: date) -> date:
    """The day for one visit: each has its own equal slice of the period.

    One whose day has gone by, since the customer came into the tier later, is spread over what is left.
    """
    length = period.days / visits
    day = period.first + timedelta(days=int((slot - 1 + _share(customer_id)) * length))
    if day >= today:
        return day
    left = (period.after - today).days
    return today + timedelta(days=int(_share(customer_id * visits + slot) * left))


@dataclass(frozen=True)
class Known:
    """A visit task of a customer: its id, dedupe key, and whether it is open (else: done)."""

    task_id: int
    key: str
    open: bool
    planned: date


@dataclass(frozen=True)
class Plan:
    """What to do for one customer: slots to open with their days, and open tasks to cancel."""

    period: Period
    open: list[tuple[int, date]]
    cancel: list[int]


def plan(
    customer_id: int,
    tier: RfmTier,
    cadence: Cadence,
    today: date,
    done: int,
    known: list[Known],
    horizon_days: int,
) -> Plan:
    """Which visits to open now, and which open ones are no longer due.

    Visits done in the period count, under whatever tier; so a change of tier plans only what is still
    missing, and never twice (S4-30). Visits of a tier left, or of a period past, are cancelled.
    """
    period = period_of(today, cadence.months)
    prefix = dedupe_key(customer_id, tier, period, 0)[:-1]
    ours = [task for task in known if task.key.startswith(prefix)]
    running = sorted((task for task in ours if task.open), key=lambda task: task.planned)
    cancel = [task.task_id for task in known if task.open and not task.key.startswith(prefix)]
    needed = max(0, cadence.visits - done)
    cancel += [task.task_id for task in running[needed:]]
    taken = {task.key for task in ours}
    missing = needed - min(needed, len(running))
    until = today + timedelta(days=horizon_days)
    wanted: list[tuple[int, date]] = []
    slot = 0
    while missing:
        slot += 1
        if dedupe_key(customer_id, tier, period, slot) in taken:
            continue
        missing -= 1
        day = planned_on(customer_id, period, min(slot, cadence.visits), cadence.visits, today)
        if day <= until:
            wanted.append((slot, day))
    return Plan(period, wanted, cancel)
