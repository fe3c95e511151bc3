"""Rows of the earlier concepts, as the KPIs read them, put straight into the tables."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import db, files, runs, timekeeping
from domain.access import Principal
from domain.kpis import Report
from domain.runs import Run, RunState

SHANGHAI = timekeeping.zone("Asia/Shanghai")


def local(year: int, month: int, day: int, hour: int = 12, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=SHANGHAI).astimezone(UTC)


async def performed(run: Run) -> Run:
    assert await runs.perform(run.id, "test", 30)
    ended = await Run.get(id=run.id)
    assert ended.state is RunState.SUCCEEDED, ended.errors
    return ended


async def customers(workspace_id: int, count: int, *, excluded: bool = False) -> list[int]:
    at = local(2024, 1, 1)
    start = await db.value("SELECT COUNT(*) FROM customers")
    made = await db.insert_many(
        "customers",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "external_id": f"c{start + number}",
                "registered_at": at,
                "excluded": excluded,
                "synthetic": False,
                "order_count": 0,
                "order_total_minor": 0,
                "created_at": at,
                "updated_at": at,
            }
            for number in range(count)
        ],
        returning="id",
    )
    return [row["id"] for row in made]


async def orders(workspace_id: int, placed: Sequence[tuple[int, datetime]], **more: Any) -> None:
    start = await db.value("SELECT COUNT(*) FROM orders")
    await db.insert_many(
        "orders",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "external_id": f"o{start + number}",
                "customer_id": customer_id,
                "status": "PAID",
                "ordered_at": at,
                "ordered_on": timekeeping.local_day(at, SHANGHAI),
                "quantity": 1,
                "amount_minor": 10_000,
                "currency": "CNY",
                "created_at": at,
                **more,
            }
            for number, (customer_id, at) in enumerate(placed)
        ],
    )


async def placements(
    who: Principal,
    ids: Sequence[int],
    *,
    lifecycle: str = "MATURE",
    value_level: str = "HIGH",
    tier: str = "GOLD",
) -> None:
    run = await _any_run(who)
    await db.insert_many(
        "placements",
        [
            {
                "workspace_id": who.workspace_id,
                "customer_id": customer_id,
                "lifecycle": lifecycle,
                "value_level": value_level,
                "tier": tier,
                "frequency": 0,
                "monetary_minor": 0,
                "r_rank": 1,
                "f_rank": 1,
                "m_rank": 1,
                "composite_rank": 1,
                "vip": False,
                "profit_key": False,
                "new_3m": False,
                "run_id": run,
            }
            for customer_id in ids
        ],
    )


async def segmentation(who: Principal, as_of: datetime) -> None:
    await db.insert_many(
        "segmentations",
        [
            {
                "workspace_id": who.workspace_id,
                "run_id": await _any_run(who),
                "as_of": as_of,
                "computed_at": as_of,
                "thresholds_number": 0,
                "customers": 0,
                "changed": 0,
                "counts": "{}",
            }
        ],
    )


async def _any_run(who: Principal) -> int:
    found = await Run.filter(workspace_id=who.workspace_id).first()
    if found is None:
        at = local(2024, 1, 1)
        found = await Run.create(
            workspace_id=who.workspace_id, kind="earlier", queue="default", state=RunState.SUCCEEDED,
            args={}, errors=[], run_at=at, queued_at=at, started_by="test",
        )  # fmt: skip
    return int(found.id)


async def tasks(workspace_id: int, drafts: Sequence[dict[str, Any]]) -> None:
    """Task rows; each draft names what differs from an open visit."""
    start = await db.value("SELECT COUNT(*) FROM tasks")
    at = local(2025, 3, 1)
    await db.insert_many(
        "tasks",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "kind": "VISIT",
                "state": "OPEN",
                "title": "Visit",
                "script": "",
                "priority": "NORMAL",
                "dedupe_key": f"t{start + number}",
                "due_at": local(2025, 3, 31),
                "policy": "care",
                "policy_number": 0,
                "rung": 0,
                "attempts": 0,
                "assignee_id": None,
                "satisfied_at": None,
                "closed_at": None,
                "outcome": None,
                "created_at": at,
                "updated_at": at,
                **draft,
            }
            for number, draft in enumerate(drafts)
        ],
    )


def visit(customer_id: int, closed_at: datetime, result: str = "REACHED") -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "state": "DONE",
        "closed_at": closed_at,
        "outcome": db.encode({"result": result, "note": ""}),
    }


async def lead(
    workspace_id: int, customer_id: int, acquired_at: datetime, satisfied_at: datetime | None = None
) -> None:
    """A lead with its first-touch task, due 24 hours later."""
    made = await db.insert_many(
        "leads",
        [
            {
                "workspace_id": workspace_id,
                "version": 1,
                "external_id": f"l{await db.value('SELECT COUNT(*) FROM leads')}",
                "customer_id": customer_id,
                "source": "TRADE_FAIR",
                "potential": "NORMAL",
                "consent": True,
                "acquired_at": acquired_at,
                "created_at": acquired_at,
            }
        ],
        returning="id",
    )
    await tasks(
        workspace_id,
        [
            {
                "kind": "FIRST_TOUCH",
                "customer_id": customer_id,
                "dedupe_key": f"first_touch:{made[0]['id']}",
                "due_at": acquired_at + timedelta(hours=24),
                "satisfied_at": satisfied_at,
            }
        ],
    )


async def content(who: Principal, file_id: int) -> bytes:
    file = await files.get(who, file_id)
    return b"".join([piece async for piece in files.read(file)])


async def html_of(who: Principal, report: Report) -> str:
    return (await content(who, report.html_file_id)).decode()
