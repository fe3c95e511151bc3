"""Alerts as they change."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, cast

import strawberry

from api import live
from api.alerts.types import Alert
from api.context import Info, who
from api.limits import Ration
from api.permissions import subscription
from domain import alerts, tasks
from domain.journal import JournalLine


@strawberry.type(description="One change of an alert.")
class AlertChange:
    cursor: str = strawberry.field(description="The change's place in the feed, for `after`.")
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(
        description="What happened: `alert.opened`, `alert.raised` to a higher level, `alert.changed` in its "
        "reasons, `alert.closed`."
    )
    alert: Alert = strawberry.field(description="The alert as it is now.")


@strawberry.type
class AlertSubscriptions:
    @subscription(
        "Changes of alerts, from `after` on or from now on. Whoever sees own work only is told of their own "
        "customers."
    )
    async def alert_changed(
        self,
        info: Info,
        after: Annotated[
            str | None,
            strawberry.argument(description="Replay what came after this cursor, then go on live."),
        ] = None,
    ) -> AsyncIterator[AlertChange]:
        async for line in live.lines(info, "alerts", after):
            async with Ration(info.context, {}).in_time():
                alert = await _alert(info, line)
            if alert is not None:
                yield AlertChange(
                    cursor=live.cursor(line), at=line.at, change=line.name, alert=cast(Alert, alert)
                )


async def _alert(info: Info, line: JournalLine) -> alerts.Alert | None:
    async def read() -> alerts.Alert | None:
        return await alerts.find(who(info), line.subject_id)

    if not await tasks.told(who(info), [line]):
        return None
    return await live.once(info, line, "alert", read)
