"""The kinds of import of this concept: how each is asked for, and what its run does."""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from domain import db, files, runs, timekeeping, workspaces
from domain.access import Principal
from domain.customers import importing
from domain.customers.choices import ImportOptions, ImportPolicy
from domain.customers.event_taker import EventTaker
from domain.customers.sheets import Sheet, customer_sheet, event_sheet, order_sheet
from domain.customers.takers import CustomerTaker, OrderTaker
from domain.errors import Conflict
from domain.runs import Run, Work

DEADLINE_SECONDS = 6 * 3600
_DEFAULTS = ImportOptions()


async def import_customers(
    who: Principal,
    file_id: int,
    policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS,
    options: ImportOptions = _DEFAULTS,
) -> Run:
    """Queue an import of customers from an uploaded file.

    Its columns are customer_id and any of name, company, phone, email, registered_at and tags
    (separated by semicolons).
    """
    return await queue(who, "customers_import", file_id, policy, options, customer_sheet)


async def import_orders(
    who: Principal,
    file_id: int,
    policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS,
    create_customers: bool = True,
    options: ImportOptions = _DEFAULTS,
) -> Run:
    """Queue an import of orders from an uploaded file.

    Its columns are order_id, customer_id, ordered_at, amount and any of quantity, currency, status
    and delivered_at. Imported orders are history: they start no follow-up work.
    """
    currency = (await workspaces.get(who.workspace_id)).currency
    return await queue(
        who,
        "orders_import",
        file_id,
        policy,
        options,
        lambda tz: order_sheet(tz, currency),
        create_customers=create_customers,
    )


async def import_events(
    who: Principal,
    file_id: int,
    policy: ImportPolicy = ImportPolicy.REJECT_FAILED_ROWS,
    create_customers: bool = True,
    options: ImportOptions = _DEFAULTS,
) -> Run:
    """Queue an import of what customers did from an uploaded file.

    Its columns are event_id, customer_id, name and occurred_at, and any data as a JSON object.
    """
    return await queue(
        who, "events_import", file_id, policy, options, event_sheet, create_customers=create_customers
    )


async def queue(
    who: Principal,
    kind: str,
    file_id: int,
    policy: ImportPolicy,
    options: ImportOptions,
    sheet_of: Callable[[ZoneInfo], Sheet],
    **more: Any,
) -> Run:
    """A file that already waits to be imported in the same way is not queued again."""
    sheet = sheet_of(timekeeping.zone((await workspaces.get(who.workspace_id)).zone))
    async with db.transaction():
        file = await files.get(who, file_id)
        args = {
            "file_id": file_id,
            "policy": policy.value,
            **options.arguments(file, sheet.key, sheet.columns),
            **more,
        }
        run = await runs.enqueue(who, kind, args, unique_key=f"file:{file.id}")
        if run.args != args:
            raise Conflict("this file waits to be imported in another way", field="fileId", current=run)
    return run


@runs.kind("customers_import", deadline_seconds=DEADLINE_SECONDS)
async def _customers(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    return await importing.perform(work, CustomerTaker(workspace.id, timekeeping.zone(workspace.zone)))


@runs.kind("orders_import", deadline_seconds=DEADLINE_SECONDS)
async def _orders(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    tz = timekeeping.zone(workspace.zone)
    taker = OrderTaker(workspace.id, tz, workspace.currency, work.args["create_customers"])
    return await importing.perform(work, taker)


@runs.kind("events_import", deadline_seconds=DEADLINE_SECONDS)
async def _events(work: Work) -> dict[str, Any]:
    workspace = await workspaces.get(work.workspace_id)
    taker = EventTaker(workspace.id, timekeeping.zone(workspace.zone), work.args["create_customers"])
    return await importing.perform(work, taker)
