"""How customers may be reached, what they agreed to, what was said, and the policy on planned contacts."""

from domain.contacts.actions import plan, record_consent, record_interaction, set_preference
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
    Purpose,
    Verdict,
)
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
    "Purpose",
    "Reason",
    "Request",
    "Statement",
    "Verdict",
    "Wanted",
    "Window",
    "consent_state",
    "consents_page",
    "current_consents",
    "decide",
    "decisions_by_ids",
    "decisions_page",
    "import_consents",
    "import_interactions",
    "interactions_page",
    "personal_visits",
    "plan",
    "preferences_by_customer",
    "preview",
    "record_consent",
    "record_interaction",
    "set_preference",
]
