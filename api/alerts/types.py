"""The types of alerts, and what the type Customer gains from them."""

from datetime import datetime
from typing import Annotated, Any, cast

import strawberry
from tortoise.expressions import Q

import api.alerts.enums  # noqa: F401
from api.connections import After, Before, Connection, First, Last, nested, part
from api.context import Info, load, who
from api.customers.types import Customer
from api.filters import DateTimeFilter, EnumFilter, IdFilter, where_q
from api.mapping import EACH, one, reads
from api.nodes import Node, extends, node_type
from api.permissions import personal
from api.workspaces.types import User
from domain import alerts, customers, workspaces
from domain.alerts import AlertLevel, AlertOutcome, AlertReasonCode, AlertState
from domain.paging import Order


@strawberry.type(
    description="One thing that is the matter. The figures are those of the alert's last change."
)
class AlertReason:
    code: AlertReasonCode = strawberry.field(description="What it is.")
    level: AlertLevel = strawberry.field(description="How urgent it alone is.")
    since: datetime = strawberry.field(description="Since when it stands.")
    value: int = strawberry.field(
        description="Contacts left unanswered, or what was counted in the last period."
    )
    before: int = strawberry.field(
        description="How many contacts it takes, or what was counted in the period before."
    )


@node_type(alerts.Alert, description="A customer at risk. Of each there is one open alert at most.")
class Alert(Node):
    level: AlertLevel = strawberry.field(description="How urgent it is, or was last.")
    state: AlertState = strawberry.field(description="Whether anybody has to mind it.")
    opened_at: datetime = strawberry.field(description="When it was opened.")
    raised_at: datetime = strawberry.field(description="When it came to its level.")
    closed_at: datetime | None = strawberry.field(description="When it was closed.")
    outcome: AlertOutcome | None = strawberry.field(
        description="What became of the customer; null while it is open."
    )
    by_hand: bool = strawberry.field(description="Whether a person closed it.")
    note: str | None = personal("note", "What whoever closed it said.")
    updated_at: datetime = strawberry.field(description="When it last changed.")
    version: int = strawberry.field(description="Rises with each change.")

    @strawberry.field(description="Who is at risk.", metadata=one(customers.Customer, "customer_id"))
    async def customer(self: Any, info: Info) -> Customer:
        return cast(Customer, await load(info, customers.by_ids, self.customer_id))

    @strawberry.field(
        description="Who looks after the customer, as of the alert's last change.",
        metadata=one(workspaces.User, "owner_id"),
    )
    async def owner(self: Any, info: Info) -> User | None:
        return cast(User | None, await load(info, workspaces.User.by_ids, self.owner_id))

    @strawberry.field(
        description="What is the matter, the most urgent first; of a closed alert, what was last.",
        metadata=reads("reasons"),
    )
    def reasons(self: Any) -> list[AlertReason]:
        return [
            AlertReason(
                code=reason.code,
                level=reason.level,
                since=reason.since,
                value=reason.value,
                before=reason.before,
            )
            for reason in alerts.reasons_of(self)
        ]


@strawberry.input(description="Which alerts.")
class AlertWhere:
    state: EnumFilter[AlertState] | None = strawberry.field(default=strawberry.UNSET, description="By state.")
    level: EnumFilter[AlertLevel] | None = strawberry.field(default=strawberry.UNSET, description="By level.")
    outcome: EnumFilter[AlertOutcome] | None = strawberry.field(
        default=strawberry.UNSET, description="By outcome."
    )
    customer: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By customer.")
    owner: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By owner.")
    opened_at: DateTimeFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By when it was opened."
    )
    and_: list["AlertWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="and", description="All of these."
    )
    or_: list["AlertWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="or", description="At least one of these."
    )
    not_: "AlertWhere | None" = strawberry.field(
        default=strawberry.UNSET, name="not", description="Not this."
    )


COLUMNS: dict[str, Any] = {
    "state": "state",
    "level": "level",
    "outcome": "outcome",
    "customer": ("customer_id", "Customer"),
    "owner": ("owner_id", "User"),
    "opened_at": "opened_at",
}


def alert_q(where: AlertWhere | None) -> Q:
    return where_q(where, COLUMNS)


@extends(Customer)
class CustomerAlerts:
    @strawberry.field(description="Their alerts, the latest first.", metadata=EACH)
    async def alerts(
        self: Any,
        info: Info,
        where: Annotated[AlertWhere | None, strawberry.argument(description="Which ones.")] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Alert]:
        found = alerts.Alert.filter(alert_q(where), workspace_id=who(info).workspace_id)
        order, page = Order("opened_at", descending=True), part(first, last, after, before)
        return cast(
            Connection[Alert], await nested(info, "alerts", found, "customer_id", self.id, order, page)
        )

    @strawberry.field(
        description="How many personal contacts in a row they have left unanswered for 72 hours; a response "
        "sets it back to 0.",
        metadata=reads("id"),
    )
    async def unanswered_contacts(self: Any, info: Info) -> int:
        return await load(info, alerts.unanswered_by_customer, self.id) or 0
