"""Questions about who is at risk, and what is done about alerts."""

from decimal import Decimal
from enum import Enum
from typing import Annotated, cast

import strawberry

from api.alerts.types import Alert, AlertWhere, alert_q
from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.filters import Direction
from api.ids import row_id
from api.mutations import Expected, Refusal, mutation, payload, result
from api.permissions import query
from api.runs.types import Run
from domain import alerts
from domain.access import BUILDERS, FRONT_LINE
from domain.alerts import AlertLevel, AlertOutcome
from domain.paging import Order

_SIX = Decimal("0.000001")


@strawberry.enum(description="By what alerts are sorted.")
class AlertOrder(Enum):
    OPENED_AT = strawberry.enum_value("opened_at", description="By when they were opened.")
    RAISED_AT = strawberry.enum_value("raised_at", description="By when they came to their level.")


@strawberry.type(description="How many customers are at risk now.")
class AlertShares:
    customers: int = strawberry.field(
        description="All customers who count, and have not ended the relationship."
    )
    blue: int = strawberry.field(description="Open alerts at BLUE.")
    yellow: int = strawberry.field(description="Open alerts at YELLOW.")
    red: int = strawberry.field(description="Open alerts at RED.")
    red_share: Decimal | None = strawberry.field(
        description="The share of all customers who are RED, to six places; null where there are none. "
        "Where it is near 0.216, customers who answer 40 % of contacts are taken for lost: ask less often."
    )


@strawberry.type
class AlertQueries:
    @query("Customers at risk, or who were; the latest alerts first.", left=True)
    async def alerts(
        self,
        info: Info,
        where: Annotated[AlertWhere | None, strawberry.argument(description="Which ones.")] = None,
        order_by: Annotated[
            AlertOrder, strawberry.argument(description="Sorted by what.")
        ] = AlertOrder.OPENED_AT,
        direction: Annotated[Direction, strawberry.argument(description="Which way.")] = Direction.DESC,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[Alert]:
        order = Order(str(order_by.value), descending=direction is Direction.DESC)
        page = await alerts.page(who(info), alert_q(where), order, part(first, last, after, before))
        return cast(Connection[Alert], connection(page))

    @query("How many customers are at risk at each level, and the share of them that is red.")
    async def alert_shares(self, info: Info) -> AlertShares:
        found = await alerts.shares(who(info).workspace_id)
        red = found.open[AlertLevel.RED]
        return AlertShares(
            customers=found.customers,
            blue=found.open[AlertLevel.BLUE],
            yellow=found.open[AlertLevel.YELLOW],
            red=red,
            red_share=(Decimal(red) / found.customers).quantize(_SIX) if found.customers else None,
        )


@strawberry.input(description="How an alert ends.")
class AlertCloseInput:
    outcome: AlertOutcome = strawberry.field(
        description="What became of the customer: REACTIVATED, LOST or MISTAKEN."
    )
    note: str = strawberry.field(default="", description="What there is to say; up to 4000 characters.")


@payload("An alert was closed.")
class AlertClosePayload:
    alert: Alert = strawberry.field(description="The alert as it is now.")


@payload("An evaluation was asked for.")
class AlertsEvaluatePayload:
    run: Run = strawberry.field(description="The run that will do it; one that already waits serves all.")


@strawberry.type
class AlertMutations:
    @mutation(
        "Close an alert with its outcome. What was the matter then is not raised again until a whole "
        "period (30 days of activity, 90 of orders) has passed; contacts left unanswered before no "
        "longer count.",
        allow=FRONT_LINE,
    )
    async def alert_close(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The alert's id.")],
        input: Annotated[AlertCloseInput, strawberry.argument(description="How it ends.")],
        expected_version: Expected = None,
    ) -> Annotated[AlertClosePayload | Refusal, result("AlertCloseResult")]:
        alert = await alerts.close(
            who(info), row_id("Alert", id), input.outcome, input.note, expected_version
        )
        return AlertClosePayload(alert=cast(Alert, alert))

    @mutation(
        "Look at all customers now, as the nightly run does: activity and orders fall by time alone.",
        allow=BUILDERS,
    )
    async def alerts_evaluate(
        self, info: Info
    ) -> Annotated[AlertsEvaluatePayload | Refusal, result("AlertsEvaluateResult")]:
        return AlertsEvaluatePayload(run=cast(Run, await alerts.evaluate_all(who(info))))
