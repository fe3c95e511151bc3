"""The closed sets of words of campaigns, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import campaigns

publish(
    campaigns.CampaignState,
    "Where a campaign stands.",
    {
        "DRAFT": "Being planned.",
        "ACTIVE": "Its tasks are opened and worked on.",
        "PAUSED": "No further tasks are opened.",
        "CLOSED": "Over.",
    },
)
