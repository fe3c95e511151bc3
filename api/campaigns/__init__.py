"""Campaigns as clients see them."""

from api.campaigns.fields import CampaignMutations, CampaignQueries
from api.campaigns.types import Campaign

__all__ = ["Campaign", "CampaignMutations", "CampaignQueries"]
