"""KPIs as they are measured and aimed at anew."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, cast

import strawberry

from api import live
from api.context import Info, who
from api.kpis.types import Kpi
from api.permissions import subscription
from domain import kpis


@strawberry.type(description="KPIs were measured, or one was given another target.")
class KpiChange:
    cursor: str = strawberry.field(description="The change's place in the feed, for `after`.")
    at: datetime = strawberry.field(description="When it happened, in business time.")
    change: str = strawberry.field(description="What happened, such as `kpi.measured`.")
    kpis: list[Kpi] = strawberry.field(description="The KPIs it is about, as they are now.")


@strawberry.type
class KpiSubscriptions:
    @subscription("Measurements and targets of KPIs, from `after` on or from now on.")
    async def kpi_changed(
        self,
        info: Info,
        after: Annotated[
            str | None,
            strawberry.argument(description="Replay what came after this cursor, then go on live."),
        ] = None,
    ) -> AsyncIterator[KpiChange]:
        async for line in live.lines(info, "kpis", after):
            only = line.data.get("kpi")
            found = [kpi for kpi in await kpis.all_kpis(who(info)) if only in (None, kpi.code)]
            yield KpiChange(
                cursor=live.cursor(line), at=line.at, change=line.name, kpis=cast(list[Kpi], found)
            )
