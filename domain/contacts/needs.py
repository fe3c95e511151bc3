"""What a customer needs, as an account manager learned it from them: versions that stay (S0-42)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain import customers, db, journal, texts, timekeeping
from domain.access import Principal
from domain.contacts.actions import set_preference
from domain.contacts.models import Channel, NeedProfile
from domain.contacts.queries import preferences_by_customer
from domain.customers import UNSET
from domain.errors import Conflict, Invalid, Reasons, Required
from domain.journal import Entry

MOST, LONGEST, LONGEST_LINE = 20, 200, 120
_LINES = {"industry": "industry", "scale": "scale"}
_LISTS = {"use_scenarios": "useScenarios", "core_needs": "coreNeeds", "focus_points": "focusPoints"}
PARTS = (*_LINES, *_LISTS, "preferred_channels")
"""What a whole profile has (S0-42)."""


async def set_needs(
    who: Principal, customer_id: int, given: Mapping[str, Any], expected_number: int | None = None
) -> tuple[NeedProfile, bool]:
    """Add a version of what a customer needs; with it, whether it is new.

    What is left out is as in the version before, null or an empty list empties. Channels that are given
    become those that the customer's contact preference allows, in this order. The same again adds nothing.
    `expected_number` is that of the version seen, 0 for none.

    Raises:
        Invalid: among others, a preferred channel is one that the customer refuses.
    """
    values = _checked(given)
    async with db.transaction():
        await customers.living(who, customer_id)
        await db.lock(f"needs:{who.workspace_id}:{customer_id}")
        before = (await needs_of(who.workspace_id, [customer_id])).get(customer_id)
        number = before.number if before else 0
        if expected_number is not None and expected_number != number:
            raise Conflict(
                f"expected version {expected_number}, it is {number}", field="expectedVersion", current=before
            )
        known = {name: getattr(before, name, None) for name in PARTS}
        whole: dict[str, Any] = {name: values.get(name, known[name]) for name in PARTS}
        if before and whole == known:
            return before, False
        whole |= {name: whole[name] or [] for name in PARTS if name not in _LINES}
        made = await NeedProfile.create(
            workspace_id=who.workspace_id,
            customer_id=customer_id,
            number=number + 1,
            collected_by=who.label,
            collected_at=await timekeeping.now(who.workspace_id),
            **whole,
        )
        if values.get("preferred_channels"):
            await _prefer(who, customer_id, values["preferred_channels"])
        data = {"number": made.number, "parts": [name for name in PARTS if getattr(made, name)]}
        await journal.write(who, Entry("need_profile.set", made.id, customer_id, data=data))
    return made, True


async def needs_of(workspace_id: int, customer_ids: Sequence[int]) -> dict[int, NeedProfile]:
    """The present version of each customer's profile; whoever was never asked is absent."""
    found = await db.rows(
        """SELECT MAX(id) AS id FROM need_profiles
           WHERE workspace_id = :workspace AND customer_id IN :customers GROUP BY customer_id""",
        workspace=workspace_id,
        customers=list(customer_ids),
    )
    rows = await NeedProfile.filter(workspace_id=workspace_id, id__in=[row["id"] for row in found])
    return {row.customer_id: row for row in rows}


def missing(profile: NeedProfile) -> list[str]:
    """The parts that are still to be asked for."""
    return [name for name in PARTS if not getattr(profile, name)]


async def _prefer(who: Principal, customer_id: int, channels: Sequence[str]) -> None:
    stands = (await preferences_by_customer(who.workspace_id, [customer_id])).get(customer_id)
    refused = [Channel(name) for name in stands.refused] if stands else []
    windows = [(window["from"], window["to"]) for window in stands.windows] if stands else []
    if both := [name for name in channels if name in refused]:
        raise Invalid(f"the customer refuses {', '.join(both)}", field="preferredChannels")
    if not stands or list(stands.allowed) != list(channels):
        await set_preference(who, customer_id, [Channel(name) for name in channels], refused, windows)


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as it is stored; whatever will not do is refused together."""
    reasons = Reasons()
    values: dict[str, Any] = {}
    named = {name: value for name, value in given.items() if value is not UNSET}
    if not named:
        raise Required("give at least one part of the profile", field="input")
    for name, value in named.items():
        with reasons.gathered():
            if name in _LINES:
                values[name] = None if value is None else texts.text(value, _LINES[name], LONGEST_LINE)
            elif name in _LISTS:
                values[name] = _texts(value or [], _LISTS[name])
            else:
                values[name] = [channel.value for channel in dict.fromkeys(value or [])]
    reasons.refuse()
    return values


def _texts(items: Iterable[str], field: str) -> list[str]:
    found = list(dict.fromkeys(texts.text(item, field, LONGEST) for item in items))
    if len(found) > MOST:
        raise Invalid(f"{field} has at most {MOST} entries", field=field)
    return found
