"""How customers may be reached, what they agreed to, what was said, and the policy on planned contacts."""

import domain.contacts.merging  # noqa: F401
from domain.contacts.actions import plan, record_consent, record_interaction, set_preference
from domain.contacts.completeness import Completeness, ProfilePart, completeness_of
from domain.contacts.decisions import Request, preview
from domain.contacts.importing import import_consents, import_interactions
from domain.contacts.models import (
    Channel,
    Consent,
    ContactDecision,
    ContactPreference,
    ContactResult,
    Direction,
    Interaction,
    NeedProfile,
    Purpose,
    Verdict,
)
from domain.contacts.needs import missing as missing_needs
from domain.contacts.needs import needs_of, set_needs
from domain.contacts.policy import (
    ContactReasonCode,
    ContactRule,
    Decision,
    Facts,
    Reason,
    Statement,
    Wanted,
    decide,
)
from domain.contacts.queries import (
    consent_state,
    consents_page,
    current_consents,
    decisions_by_ids,
    decisions_page,
    interactions_page,
    personal_visits,
    preferences_by_customer,
)
from domain.contacts.windows import Window

__all__ = [
    "Channel",
    "Completeness",
    "Consent",
    "ContactDecision",
    "ContactPreference",
    "ContactReasonCode",
    "ContactResult",
    "ContactRule",
    "Decision",
    "Direction",
    "Facts",
    "Interaction",
    "NeedProfile",
    "ProfilePart",
    "Purpose",
    "Reason",
    "Request",
    "Statement",
    "Verdict",
    "Wanted",
    "Window",
    "completeness_of",
    "consent_state",
    "consents_page",
    "current_consents",
    "decide",
    "decisions_by_ids",
    "decisions_page",
    "import_consents",
    "import_interactions",
    "interactions_page",
    "missing_needs",
    "needs_of",
    "personal_visits",
    "plan",
    "preferences_by_customer",
    "preview",
    "record_consent",
    "record_interaction",
    "set_needs",
    "set_preference",
]
