"""The closed sets of words of alerts, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import alerts

publish(
    alerts.AlertLevel,
    "How urgent an alert is; while it is open, it only rises.",
    {
        "BLUE": "To be watched: they buy less often.",
        "YELLOW": "To be minded: they are half as active as they were, or less.",
        "RED": "To be acted on: they do not answer any more.",
    },
)
publish(
    alerts.AlertState,
    "Whether anybody has to mind an alert.",
    {"OPEN": "Something is the matter.", "CLOSED": "It has its outcome."},
)
publish(
    alerts.AlertReasonCode,
    "What is the matter with a customer.",
    {
        "UNANSWERED": "RED: three personal contacts in a row, one in 72 hours at most, were each left "
        "unanswered for 72 hours.",
        "ACTIVITY_DOWN": "YELLOW: in the last 30 days they did half of what they did in the 30 before, or "
        "less; events count, and contacts that they began.",
        "ORDERS_DOWN": "BLUE: fewer orders in the last 90 days than in the 90 before.",
    },
)
publish(
    alerts.AlertOutcome,
    "What became of a customer who was at risk.",
    {
        "REACTIVATED": "They are back; of an alert that closes by itself, nothing is the matter any more.",
        "LOST": "They are gone; an alert closes by itself with it when they end the relationship.",
        "MISTAKEN": "There was no risk. Only a person says so.",
        "WITHDRAWN": "They no longer count as a customer. Only the machine says so.",
    },
)
