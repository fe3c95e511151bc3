"""What a rule may ask of a customer, as clients write it: exactly one kind a condition, and nesting."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import strawberry
from strawberry import UNSET

import api.contacts.enums
import api.customers.enums
import api.segments.enums  # noqa: F401
from api.ids import row_or_nothing
from api.scalars import MoneyInput, minor_units
from domain import segments
from domain.contacts import Channel, ContactResult, Direction, Purpose
from domain.customers import LeadPotential, LeadSource, OrderStatus
from domain.errors import Invalid
from domain.segments import CustomerDate, CustomerField, LifecycleStage, RfmRank, RfmTier, ValueLevel

IDS = {"owner_ids": "User", "segment_id": "Segment"}


def part(description: str, **more: Any) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=description, **more)


@strawberry.input(description="What a count must be; all that is given must hold.")
class CountTest:
    eq: int | None = part("Is this number.")
    gt: int | None = part("Is more.")
    gte: int | None = part("Is this number or more.")
    lt: int | None = part("Is less.")
    lte: int | None = part("Is this number or less.")


@strawberry.input(description="What an amount must be; all that is given must hold.")
class MoneyTest:
    gt: MoneyInput | None = part("Is more.")
    gte: MoneyInput | None = part("Is this amount or more.")
    lt: MoneyInput | None = part("Is less.")
    lte: MoneyInput | None = part("Is this amount or less.")


@strawberry.input(
    description="When something must have been; all that is given must hold, and of nothing that is still "
    "to come. Months are calendar months, clamped to a month's last day."
)
class InstantTest:
    within_days: int | None = part("Not longer ago than so many times 24 hours.")
    within_months: int | None = part(
        "Not longer ago than so many months; the last of these days counts to its end."
    )
    days_ago: int | None = part("So many times 24 hours ago, or longer.")
    months_ago: int | None = part("So many months ago, or longer, to the very instant.")
    gte: datetime | None = part("At this instant or after.")
    lte: datetime | None = part("At this instant or before.")


@strawberry.input(
    description="Which of the things that happened count: at most one beginning, and an end. Nothing that is "
    "still to come."
)
class EventWindow:
    days: int | None = part("From so many times 24 hours ago.")
    months: int | None = part("From the same local time so many calendar months ago, as RFM counts twelve.")
    since: datetime | None = part("From this instant on.")
    until: datetime | None = part("Up to this instant.")


@strawberry.input(description="What must be known of the customer.")
class ProfileCondition:
    known: list[CustomerField] | None = part("All of these are known.")
    unknown: list[CustomerField] | None = part("None of these is.")


@strawberry.input(description="Who looks after the customer.")
class OwnerCondition:
    owner_ids: list[strawberry.ID] = strawberry.field(description="One of these members of staff.")


@strawberry.input(description="When something on the customer's record was.")
class DateCondition:
    field: CustomerDate = strawberry.field(description="What.")
    test: InstantTest = strawberry.field(description="When.")


@strawberry.input(description="Which tags the customer bears.")
class TagsCondition:
    any: list[str] = strawberry.field(description="At least one of these.")


@strawberry.input(description="What the customer's orders come to; at least one test.")
class OrdersCondition:
    count: CountTest | None = part("How many they are.")
    total: MoneyTest | None = part("What they sum to.")
    average: MoneyTest | None = part("Their mean; who has none has no mean.")
    first_at: InstantTest | None = part("When the first of them was.")
    last_at: InstantTest | None = part("When the last of them was.")
    window: EventWindow | None = part("Only those of this time.")
    statuses: list[OrderStatus] | None = part("Only those that stand so; all but refunded ones if left out.")


@strawberry.input(description="What the customer did, or with a count of 0 did not; once, without a test.")
class EventsCondition:
    name: str = strawberry.field(description="The event's name, such as `login`.")
    count: CountTest | None = part("How often.")
    first_at: InstantTest | None = part("When first.")
    last_at: InstantTest | None = part("When last.")
    window: EventWindow | None = part("Only in this time.")


@strawberry.input(description="Contacts with the customer; one of them, without a test.")
class InteractionsCondition:
    channels: list[Channel] | None = part("Only by these.")
    directions: list[Direction] | None = part("Only begun by these.")
    results: list[ContactResult] | None = part("Only with these results.")
    personal: bool | None = part("Only those that were personal, or were not.")
    count: CountTest | None = part("How many.")
    first_at: InstantTest | None = part("When the first was.")
    last_at: InstantTest | None = part("When the last was.")
    window: EventWindow | None = part("Only in this time.")


@strawberry.input(description="The customer's signs of interest as a lead; one of them, without a test.")
class LeadsCondition:
    sources: list[LeadSource] | None = part("Only gained so.")
    potentials: list[LeadPotential] | None = part("Only with this potential.")
    industries: list[str] | None = part("Only of these industries.")
    count: CountTest | None = part("How many.")
    first_at: InstantTest | None = part("When the first was.")
    last_at: InstantTest | None = part("When the last was.")
    window: EventWindow | None = part("Only in this time.")


@strawberry.input(description="What the customer last stated; who stated nothing neither agreed nor refused.")
class ConsentCondition:
    purpose: Purpose = strawberry.field(description="About what.")
    granted: bool = strawberry.field(description="Whether they agreed.")


@strawberry.input(description="Where the last recompute placed the customer; all lists given must hold.")
class PlacedCondition:
    lifecycle_stages: list[LifecycleStage] | None = part("In one of these stages.")
    value_levels: list[ValueLevel] | None = part("At one of these value levels.")
    rfm_tiers: list[RfmTier] | None = part("In one of these care tiers.")


@strawberry.input(description="The customer's rank among all, by the last recompute.")
class RankedCondition:
    by: RfmRank = strawberry.field(description="By what.")
    top_percent: int = strawberry.field(description="Among the best so many percent.")


@strawberry.input(description="Another segment.")
class MemberCondition:
    segment_id: strawberry.ID = strawberry.field(description="Its members, as last published.")


@strawberry.input(
    description="What must be so of a customer: exactly one of these. At most 40 conditions, at most 6 deep.",
    one_of=True,
)
class SegmentCondition:
    all: list["SegmentCondition"] | None = part("Every one of these.")
    any: list["SegmentCondition"] | None = part("At least one of these.")
    not_: "SegmentCondition | None" = part("Not this.", name="not")
    profile: ProfileCondition | None = part("What is known of the customer.")
    owner: OwnerCondition | None = part("Who looks after the customer.")
    date: DateCondition | None = part("When something on the record was.")
    tags: TagsCondition | None = part("The customer's tags.")
    orders: OrdersCondition | None = part("What the customer bought.")
    events: EventsCondition | None = part("What the customer did.")
    interactions: InteractionsCondition | None = part("Contacts with the customer.")
    leads: LeadsCondition | None = part("The customer as a lead.")
    consent: ConsentCondition | None = part("What the customer agreed to.")
    placed: PlacedCondition | None = part("Stage, value level and care tier.")
    ranked: RankedCondition | None = part("The place by recency, frequency or spend.")
    member: MemberCondition | None = part("Being in another segment.")


def document(given: Any, currency: str, place: str) -> Any:
    """A condition as the domain reads it: ids of rows, minor units, and nothing that was left out."""
    if isinstance(given, MoneyInput):
        if given.currency != currency:
            raise Invalid(f"the workspace's currency is {currency}", field=place)
        return minor_units(given, place)
    if is_dataclass(given) and not isinstance(given, type):
        found = {}
        for field in fields(given):
            value = getattr(given, field.name)
            if value is UNSET or value is None:
                continue
            name = field.name.rstrip("_")
            found[name] = (
                _rows(IDS[name], value)
                if name in IDS
                else document(value, currency, f"{place}.{segments.camel(name)}")
            )
        return found
    if isinstance(given, list):
        return [document(each, currency, f"{place}.{number}") for number, each in enumerate(given)]
    return given


def _rows(kind: str, given: Any) -> Any:
    return (
        [row_or_nothing(kind, each) for each in given]
        if isinstance(given, list)
        else row_or_nothing(kind, given)
    )
