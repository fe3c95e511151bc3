"""Questions about webhooks."""

from typing import Annotated, cast

import strawberry

from api.connections import After, Before, Connection, First, Last, connection, part
from api.context import Info, who
from api.ids import row_id
from api.nodes import kinds
from api.permissions import query
from api.webhooks.types import Webhook
from domain import webhooks
from domain.access import ADMINS
from domain.errors import NotFound


@strawberry.type
class WebhookQueries:
    @query("One webhook; null when there is none with this id here.", allow=ADMINS)
    async def webhook(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The webhook's id.")]
    ) -> Webhook | None:
        try:
            number = row_id("Webhook", id)
        except NotFound:
            return None
        return cast(Webhook | None, (await kinds["Webhook"].visible(who(info), [number])).get(number))

    @query("Webhooks, the oldest first.", allow=ADMINS)
    async def webhooks(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[Webhook]:
        page = await webhooks.page(who(info), part(first, last, after, before))
        return cast(Connection[Webhook], connection(page))
