"""Customers at risk: one open alert each, of three levels, with its reasons, until they are back or lost."""

import domain.alerts.merging  # noqa: F401
from domain.alerts.actions import BY_HAND, close, evaluate_all, watch
from domain.alerts.errors import AlertClosed
from domain.alerts.evaluating import evaluate, reasons_of
from domain.alerts.models import (
    Alert,
    AlertLevel,
    AlertOutcome,
    AlertReasonCode,
    AlertState,
    ContactStreak,
)
from domain.alerts.queries import Shares, find, page, shares, unanswered_by_customer
from domain.alerts.rules import ORDER_DAYS, Compared, Facts, Reason, Streak, judge, level_of, streak
from domain.alerts.timers import due, next_due, set_apart, wake

__all__ = [
    "BY_HAND",
    "ORDER_DAYS",
    "Alert",
    "AlertClosed",
    "AlertLevel",
    "AlertOutcome",
    "AlertReasonCode",
    "AlertState",
    "Compared",
    "ContactStreak",
    "Facts",
    "Reason",
    "Shares",
    "Streak",
    "close",
    "due",
    "evaluate",
    "evaluate_all",
    "find",
    "judge",
    "level_of",
    "next_due",
    "page",
    "reasons_of",
    "set_apart",
    "shares",
    "streak",
    "unanswered_by_customer",
    "wake",
    "watch",
]
