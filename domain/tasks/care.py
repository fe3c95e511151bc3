"""What was promised: how soon, how often, and who hears of it when it is missed."""

from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from domain import timekeeping, workspaces
from domain.access import Principal, Role
from domain.errors import Invalid
from domain.segments import RfmTier
from domain.tasks.models import TaskKind

NAME = "care"


@dataclass(frozen=True)
class Rung:
    """One step of a ladder: so long after the deadline was missed, this role is told."""

    after_seconds: int
    to_role: Role


@dataclass(frozen=True)
class Cadence:
    """How many visits a tier is promised in a calendar period of so many months, and in which manner.

    `personal` visits go by a personal channel, the others by message (S4-27 to S4-29).
    """

    visits: int
    months: int
    personal: bool


@dataclass(frozen=True)
class Care:
    """The care plan of a workspace. Hours are natural hours (C-18)."""

    first_touch_hours: int = 24
    callback_hours: int = 72
    ladder: tuple[Rung, ...] = (Rung(0, Role.TEAM_LEAD), Rung(24 * 3600, Role.OPS_HEAD))
    gold: Cadence = Cadence(3, 1, True)
    silver: Cadence = Cadence(2, 3, False)
    bronze: Cadence = Cadence(1, 12, False)
    visit_horizon_days: int = 14
    """Visits are opened as work so many days before the day for which they are planned."""

    def cadence(self, tier: RfmTier) -> Cadence:
        return {RfmTier.GOLD: self.gold, RfmTier.SILVER: self.silver, RfmTier.BRONZE: self.bronze}[tier]

    def within(self, kind: TaskKind) -> timedelta:
        hours = {
            TaskKind.FIRST_TOUCH: self.first_touch_hours,
            TaskKind.POST_DELIVERY_CALLBACK: self.callback_hours,
        }
        return timedelta(hours=hours[kind])

    def rungs(self, kind: TaskKind) -> tuple[Rung, ...]:
        """A visit has no ladder of its own: that a customer's quota is behind is what counts."""
        return () if kind is TaskKind.VISIT else self.ladder


@dataclass(frozen=True)
class CarePolicy:
    """A care plan with the version of the settings it comes from."""

    number: int
    care: Care = field(default_factory=Care)


async def policy(workspace_id: int) -> CarePolicy:
    """The care plan that holds now."""
    setting = await workspaces.setting(workspace_id, NAME)
    return CarePolicy(setting.number, _care(setting.value))


def _care(value: dict[str, Any]) -> Care:
    known = dict(value)
    if "ladder" in known:
        known["ladder"] = tuple(Rung(r["after_seconds"], Role(r["to_role"])) for r in known["ladder"])
    for tier in ("gold", "silver", "bronze"):
        if tier in known:
            known[tier] = Cadence(**known[tier])
    return replace(Care(), **known)


async def set_care(who: Principal, care: Care) -> int:
    """A new version of the care plan; tasks opened before keep the deadline they have."""
    for name in ("first_touch_hours", "callback_hours"):
        if not 1 <= getattr(care, name) <= 24 * 365:
            raise Invalid("between one hour and a year", field=name)
    if [rung.after_seconds for rung in care.ladder] != sorted({rung.after_seconds for rung in care.ladder}):
        raise Invalid("a ladder's rungs rise in time", field="ladder")
    return await workspaces.preset_set(who, NAME, "CUSTOM", asdict(care))


def missed_at(due_at: datetime) -> datetime:
    """The first instant at which a deadline is missed: "within" includes its last instant (C-18)."""
    return due_at + timekeeping.TICK


def rung_at(due_at: datetime, rungs: tuple[Rung, ...], climbed: int) -> datetime | None:
    """When the next rung is due, after so many have been climbed; none at the top."""
    if climbed >= len(rungs):
        return None
    return missed_at(due_at) + timedelta(seconds=rungs[climbed].after_seconds)
