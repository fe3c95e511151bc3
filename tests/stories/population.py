"""Customers with given recency, orders and spend, entered as a client would: by a CSV import."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tests.stories.documents import ORDERS_IMPORT, RECOMPUTE
from tests.stories.stage import Stage


@dataclass(frozen=True)
class Buyer:
    """`orders` orders of `spend` in all, the last of them `recency` days before the stage's clock."""

    name: str
    recency: int
    orders: int
    spend: Decimal


def orders_csv(buyers: list[Buyer], now: datetime) -> bytes:
    out = io.StringIO()
    sheet = csv.writer(out)
    sheet.writerow(["order_id", "customer_id", "ordered_at", "amount"])
    for buyer in buyers:
        share = (buyer.spend / buyer.orders).quantize(Decimal("0.01"))
        for number in range(buyer.orders):
            at = now - timedelta(days=buyer.recency) - timedelta(seconds=number)
            amount = buyer.spend - share * (buyer.orders - 1) if number == 0 else share
            sheet.writerow([f"{buyer.name}-{number}", buyer.name, at.isoformat(), amount])
    return out.getvalue().encode()


async def enter(stage: Stage, buyers: list[Buyer], now: datetime) -> None:
    file_id = await stage.owner.upload("orders.csv", orders_csv(buyers, now))
    done = await stage.owner.do(ORDERS_IMPORT, file=file_id)
    run = await stage.owner.finish(done["run"]["id"])
    assert {e["name"]: e["value"] for e in run["result"]}["rejected"] == "0"


async def recompute(stage: Stage) -> dict[str, str]:
    """Recompute the segmentation; what it left behind."""
    done = await stage.owner.do(RECOMPUTE)
    run = await stage.owner.finish(done["run"]["id"])
    return {entry["name"]: entry["value"] for entry in run["result"]}
