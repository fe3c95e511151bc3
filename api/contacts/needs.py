"""What a customer needs, in versions, and how complete what we know of them is."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from strawberry import UNSET

import api.contacts.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.ids import row_id
from api.mapping import EACH, reads
from api.mutations import Expected, Refusal, mutation, payload, result
from api.nodes import Node, extends, node_type, row_type
from api.permissions import masked
from domain import contacts
from domain.access import FRONT_LINE, PLANNERS
from domain.contacts import Channel, ProfilePart
from domain.paging import Order

PARTS = {
    "industry": "industry",
    "scale": "scale",
    "use_scenarios": "useScenarios",
    "core_needs": "coreNeeds",
    "focus_points": "focusPoints",
    "preferred_channels": "preferredChannels",
}
"""The parts of a profile, as the input spells them."""


@node_type(contacts.NeedProfile, description="One version of what a customer needs; never changed.")
class NeedProfile(Node):
    number: int = strawberry.field(description="Which version, from 1.")
    industry: str | None = strawberry.field(description="The customer's industry.")
    scale: str | None = strawberry.field(description="How large they are.")
    collected_by: str = strawberry.field(description="Who or what asked, by number.")
    collected_at: datetime = strawberry.field(description="When.")

    @strawberry.field(
        description="For what they use what we sell. Masked for roles that do not see personal data.",
        metadata=reads("use_scenarios"),
    )
    def use_scenarios(self: Any, info: Info) -> list[str]:
        return _shown(self.use_scenarios, info)

    @strawberry.field(
        description="What they want, such as lower cost. Masked for roles that do not see personal data.",
        metadata=reads("core_needs"),
    )
    def core_needs(self: Any, info: Info) -> list[str]:
        return _shown(self.core_needs, info)

    @strawberry.field(
        description="What they look at most. Masked for roles that do not see personal data.",
        metadata=reads("focus_points"),
    )
    def focus_points(self: Any, info: Info) -> list[str]:
        return _shown(self.focus_points, info)

    @strawberry.field(
        description="How they like to be reached, the best first.", metadata=reads("preferred_channels")
    )
    def preferred_channels(self: Any) -> list[Channel]:
        return [Channel(name) for name in self.preferred_channels]

    @strawberry.field(description="How much of the profile is filled in, in percent, never rounded up.")
    def completeness(self: Any) -> int:
        return 100 * (len(PARTS) - len(contacts.missing_needs(self))) // len(PARTS)

    @strawberry.field(description="What is still to be asked for, as the input of `needProfileSet` names it.")
    def missing(self: Any) -> list[str]:
        return [PARTS[name] for name in contacts.missing_needs(self)]


def _shown(items: list[str], info: Info) -> list[str]:
    return [masked(item, info) or "" for item in items]


@row_type(contacts.Completeness, description="How much of what we should know of a customer is known.")
class Completeness:
    percent: int = strawberry.field(description="In percent, never rounded up: 100 is all of it.")

    @strawberry.field(description="What is missing.")
    def missing(self: Any) -> list[ProfilePart]:
        return list(self.missing)


@extends(Customer)
class CustomerNeeds:
    @strawberry.field(description="How complete what is known of the customer is.", metadata=reads("id"))
    async def completeness(self: Any, info: Info) -> Completeness:
        return cast(Completeness, await load(info, contacts.completeness_of, self.id))

    @strawberry.field(
        description="What the customer needs; null when nobody has asked yet.", metadata=reads("id")
    )
    async def need_profile(self: Any, info: Info) -> NeedProfile | None:
        return cast(NeedProfile | None, await load(info, contacts.needs_of, self.id))

    @strawberry.field(description="All versions of what the customer needs, the latest first.", metadata=EACH)
    async def need_profiles(
        self: Any,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[NeedProfile]:
        own = contacts.NeedProfile.filter(workspace_id=who(info).workspace_id)
        order, page = Order("number", descending=True), part(first, last, after, before)
        found = await nested(info, "need_profiles", own, "customer_id", self.id, order, page)
        return cast(Connection[NeedProfile], found)


@strawberry.input(
    description="What a customer needs; what is left out is as before, null or an empty list empties."
)
class NeedProfileInput:
    industry: str | None = strawberry.field(default=UNSET, description="Their industry.")
    scale: str | None = strawberry.field(default=UNSET, description="How large they are.")
    use_scenarios: list[str] | None = strawberry.field(
        default=UNSET, description="For what they use what we sell; at most 20."
    )
    core_needs: list[str] | None = strawberry.field(
        default=UNSET, description="What they want of it, such as lower cost; at most 20."
    )
    focus_points: list[str] | None = strawberry.field(
        default=UNSET, description="What they look at most; at most 20."
    )
    preferred_channels: list[Channel] | None = strawberry.field(
        default=UNSET,
        description="How they like to be reached, the best first; the contact preference allows them then.",
    )


@payload("What a customer needs was recorded.")
class NeedProfileSetPayload:
    need_profile: NeedProfile = strawberry.field(description="The version that holds.")
    created: bool = strawberry.field(description="Whether it is new; the same again adds no version.")


@strawberry.type
class NeedMutations:
    @mutation(
        "Record what a customer needs as a new version; earlier ones stay.", allow=FRONT_LINE | PLANNERS
    )
    async def need_profile_set(
        self,
        info: Info,
        customer_id: Annotated[strawberry.ID, strawberry.argument(description="The customer's id.")],
        input: Annotated[NeedProfileInput, strawberry.argument(description="What they need.")],
        expected_version: Expected = None,
    ) -> Annotated[NeedProfileSetPayload | Refusal, result("NeedProfileSetResult")]:
        given = {name: getattr(input, name) for name in PARTS if getattr(input, name) is not UNSET}
        made, created = await contacts.set_needs(
            who(info), row_id("Customer", customer_id, "customerId"), given, expected_version
        )
        return NeedProfileSetPayload(need_profile=cast(NeedProfile, made), created=created)
