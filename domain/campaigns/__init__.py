"""Planned work on a segment, towards a measurable goal."""

import domain.campaigns.merging  # noqa: F401
from domain.campaigns.actions import CampaignClosed, Plan, activate, close, create, pause
from domain.campaigns.models import Campaign, CampaignState, Enrolment
from domain.campaigns.queries import counts_by_campaign, find, page
from domain.campaigns.using import campaigns_of, tasks_of

__all__ = [
    "Campaign",
    "CampaignClosed",
    "CampaignState",
    "Enrolment",
    "Plan",
    "activate",
    "campaigns_of",
    "close",
    "counts_by_campaign",
    "create",
    "find",
    "page",
    "pause",
    "tasks_of",
]
