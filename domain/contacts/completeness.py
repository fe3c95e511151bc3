"""How much of what we should know of a customer is known, and what is missing (S2-35, S2-39)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain import customers
from domain.contacts.models import Purpose
from domain.contacts.needs import needs_of
from domain.contacts.queries import consent_state, preferences_by_customer


class ProfilePart(StrEnum):
    """Something that is known of a customer whose profile is whole; each counts the same."""

    NAME = "NAME"
    COMPANY = "COMPANY"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    OWNER = "OWNER"
    CONTACT_PREFERENCE = "CONTACT_PREFERENCE"
    MARKETING_CONSENT = "MARKETING_CONSENT"
    NEED_PROFILE = "NEED_PROFILE"


@dataclass(frozen=True)
class Completeness:
    """What of a profile is missing."""

    missing: tuple[ProfilePart, ...]

    @property
    def percent(self) -> int:
        """Never rounded up: 100 is a whole profile and nothing else."""
        return 100 * (len(ProfilePart) - len(self.missing)) // len(ProfilePart)


async def completeness_of(workspace_id: int, customer_ids: Sequence[int]) -> dict[int, Completeness]:
    """The completeness of each profile, in a constant number of statements.

    Of consent a statement counts, whatever it says; of needs any version does.
    """
    known = await customers.by_ids(workspace_id, list(customer_ids))
    preferences = await preferences_by_customer(workspace_id, customer_ids)
    consents = await consent_state(workspace_id, customer_ids, Purpose.MARKETING)
    needs = await needs_of(workspace_id, customer_ids)
    found = {}
    for customer_id, customer in known.items():
        has = {
            ProfilePart.NAME: customer.name,
            ProfilePart.COMPANY: customer.company,
            ProfilePart.PHONE: customer.phone,
            ProfilePart.EMAIL: customer.email,
            ProfilePart.OWNER: customer.owner_id,
            ProfilePart.CONTACT_PREFERENCE: preferences.get(customer_id),
            ProfilePart.MARKETING_CONSENT: consents.get(customer_id),
            ProfilePart.NEED_PROFILE: needs.get(customer_id),
        }
        found[customer_id] = Completeness(tuple(part for part in ProfilePart if has[part] is None))
    return found
