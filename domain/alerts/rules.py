"""When a customer is at risk, and when no longer: decided of figures alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domain import db
from domain.alerts.models import AlertLevel, AlertReasonCode

UNANSWERED_CONTACTS = 3
RESPONSE_WINDOW = timedelta(hours=72)
"""So long a customer may take to answer; and of contacts closer together than that only the first counts."""
ACTIVITY_DAYS = 30
ORDER_DAYS = 90
LEVELS = {
    AlertReasonCode.UNANSWERED: AlertLevel.RED,
    AlertReasonCode.ACTIVITY_DOWN: AlertLevel.YELLOW,
    AlertReasonCode.ORDERS_DOWN: AlertLevel.BLUE,
}
DAYS = {AlertReasonCode.ACTIVITY_DOWN: ACTIVITY_DAYS, AlertReasonCode.ORDERS_DOWN: ORDER_DAYS}
"""Of what is compared over time, how long a period is; the one before it is as long."""


@dataclass(frozen=True)
class Streak:
    """Contacts in a row that were left unanswered, and when the next of them will be."""

    unanswered: int = 0
    next_at: datetime | None = None


def streak(contacts: Sequence[datetime], now: datetime) -> Streak:
    """Of the contacts since the last response, the earliest first, those that count (C-23).

    One in 72 hours at most, each once its 72 hours are over; their last instant is over.
    """
    count, counted = 0, None
    for at in contacts:
        if counted is not None and at - counted < RESPONSE_WINDOW:
            continue
        counted = at
        if at + RESPONSE_WINDOW > now:
            return Streak(count, at + RESPONSE_WINDOW)
        count += 1
    return Streak(count)


@dataclass(frozen=True)
class Compared:
    """A count of the period up to now, and of the one before it."""

    value: int = 0
    before: int = 0

    @property
    def halved(self) -> bool:
        """Down to a half or less; of nothing there is no half (S4-66, C-24)."""
        return self.before > 0 and 2 * self.value <= self.before

    @property
    def fallen(self) -> bool:
        """Any decrease at all (S4-67, C-24)."""
        return self.value < self.before


@dataclass(frozen=True)
class Facts:
    """What is known of a customer at an instant."""

    streak: Streak = Streak()
    activity: Compared = Compared()
    orders: Compared = Compared()


@dataclass(frozen=True)
class Reason:
    """One thing that is the matter: since when, the figure, and what it is held against."""

    code: AlertReasonCode
    since: datetime
    value: int
    before: int

    @property
    def level(self) -> AlertLevel:
        return LEVELS[self.code]

    @property
    def document(self) -> dict[str, Any]:
        return {
            "code": self.code.value,
            "since": self.since.isoformat(),
            "value": self.value,
            "before": self.before,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Reason":
        since = db.instant_of(document["since"])
        return cls(AlertReasonCode(document["code"]), since, document["value"], document["before"])


def judge(
    facts: Facts, standing: Sequence[Reason], now: datetime, muted: Mapping[AlertReasonCode, datetime]
) -> list[Reason]:
    """The reasons that stand now, the most urgent first.

    One that stands goes only by what the customer does: they answer, or are active or order again. That
    both periods are empty by now is no recovery. Of a muted one a person has said what it is; it comes
    up again when a whole period has passed since.
    """
    since = {reason.code: reason.since for reason in standing}
    found = []
    if facts.streak.unanswered >= UNANSWERED_CONTACTS:
        found.append((AlertReasonCode.UNANSWERED, facts.streak.unanswered, UNANSWERED_CONTACTS))
    for code, counts, down in (
        (AlertReasonCode.ACTIVITY_DOWN, facts.activity, facts.activity.halved),
        (AlertReasonCode.ORDERS_DOWN, facts.orders, facts.orders.fallen),
    ):
        still = code in since and counts.value == 0
        again = code not in muted or now >= muted[code] + timedelta(days=DAYS[code])
        if still or (down and (again or code in since)):
            found.append((code, counts.value, counts.before))
    return [Reason(code, since.get(code, now), value, before) for code, value, before in found]


def level_of(reasons: Sequence[Reason], least: AlertLevel = AlertLevel.BLUE) -> AlertLevel:
    """The most urgent of the reasons' levels, and no less than what the alert had."""
    return max((*(reason.level for reason in reasons), least), key=lambda level: level.rank)
