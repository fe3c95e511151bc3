"""The closed sets of words of customers' health, published with their descriptions before types use them."""

from api.enums import publish
from domain import health

publish(
    health.HealthBand,
    "How a health score is to be read.",
    {"GREEN": "Well.", "YELLOW": "To be minded.", "RED": "In danger."},
)
publish(
    health.HealthSignal,
    "One thing that a health score is made of; each says 0 to 100, or nothing where there are no data.",
    {
        "RECENCY": "How long ago they were last heard of: 100 within 30 days, down to 0 at 180.",
        "FREQUENCY": "Orders of the last 90 days against those of the 90 before: 100 for as many or more. "
        "Nothing where there is neither.",
        "RESPONSE": "The share of personal contacts of the last 180 days that they answered, be it with no.",
        "SATISFACTION": "The mean of the ratings that they gave in call-backs of the last 365 days: 0 for 1, "
        "100 for 5.",
        "ENGAGEMENT": "What they did by themselves in the last 30 days, events and contacts that they began: "
        "10 for each. Nothing where there was none in 180 days.",
    },
)
