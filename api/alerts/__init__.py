"""Customers at risk."""

from api.alerts.fields import AlertMutations, AlertQueries
from api.alerts.live import AlertSubscriptions

__all__ = ["AlertMutations", "AlertQueries", "AlertSubscriptions"]
