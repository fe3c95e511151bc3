"""The example orders, shifted to end yesterday, by the thresholds made for them."""

import csv
import gzip
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from domain import db, segments, timekeeping
from domain.segments import LifecycleStage, RfmTier, ValueLevel
from tests.conftest import House
from tests.domain.segments.population import SHANGHAI, recompute

ORDERS = Path(__file__).parents[3] / "examples" / "cdnow_orders.csv.gz"


async def _open_shop(house: House) -> None:
    with gzip.open(ORDERS, "rt") as file:
        rows = list(csv.DictReader(file))
    today = timekeeping.local_day(await timekeeping.now(house.id), SHANGHAI)
    shift = today - timedelta(days=1) - max(date.fromisoformat(row["ordered_at"]) for row in rows)
    days: dict[str, list[date]] = {}
    for row in rows:
        days.setdefault(row["customer_id"], []).append(date.fromisoformat(row["ordered_at"]) + shift)
    at = {
        day: datetime.combine(day, time(), SHANGHAI).astimezone(UTC) for own in days.values() for day in own
    }
    common = {"workspace_id": house.id, "version": 1, "created_at": datetime.now(UTC)}
    async with db.transaction():
        made = await db.insert_many(
            "customers",
            [
                {
                    **common,
                    "external_id": name,
                    "registered_at": at[min(own)],
                    "last_interaction_at": at[max(own)],
                    "excluded": False,
                    "synthetic": False,
                    "order_count": len(own),
                    "order_total_minor": 0,
                    "updated_at": common["created_at"],
                }
                for name, own in days.items()
            ],
            returning="id, external_id",
        )
        ids = {row["external_id"]: row["id"] for row in made}
        await db.insert_many(
            "orders",
            [
                {
                    **common,
                    "external_id": row["order_id"],
                    "customer_id": ids[row["customer_id"]],
                    "status": "DELIVERED",
                    "ordered_at": at[date.fromisoformat(row["ordered_at"]) + shift],
                    "ordered_on": date.fromisoformat(row["ordered_at"]) + shift,
                    "quantity": int(row["quantity"]),
                    "amount_minor": round(float(row["amount"]) * 100),
                    "currency": row["currency"],
                }
                for row in rows
            ],
        )


async def test_the_example_fills_the_matrix_as_its_preset_says(house: House) -> None:
    await _open_shop(house)
    await segments.thresholds_set(house.admin, "CDNOW_USD")
    run = await recompute(house.admin)
    assert run.result == {"customers": 23_570, "changed": 23_570}
    cells = await segments.matrix(house.id)
    assert sum(cells.values()) == 23_570
    for stage in (LifecycleStage.GROWTH, LifecycleStage.MATURE, LifecycleStage.SILENT):
        assert min(cells[stage, level] for level in ValueLevel) >= 100
    assert cells[LifecycleStage.CHURNED, ValueLevel.ORDINARY] > 15_000
    assert sum(count for (_, level), count in cells.items() if level is ValueLevel.HIGH) == 2_304
    tiers = await segments.tier_counts(house.id)
    assert tiers[RfmTier.GOLD] <= 23_570 * 15 // 100
    again = await recompute(house.admin)
    assert again.result == {"customers": 23_570, "changed": 0}
