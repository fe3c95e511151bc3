"""Wishes, consents, contacts and the contact policy as clients see them."""

from api.contacts.fields import ContactMutations, ContactQueries
from api.contacts.imports import ContactImportMutations
from api.contacts.needs import NeedMutations, NeedProfile
from api.contacts.types import Consent, ContactDecision, ContactPreference, Interaction, ReceiveWindow

__all__ = [
    "Consent",
    "ContactDecision",
    "ContactImportMutations",
    "ContactMutations",
    "ContactPreference",
    "ContactQueries",
    "Interaction",
    "NeedMutations",
    "NeedProfile",
    "ReceiveWindow",
]
