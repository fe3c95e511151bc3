"""What is imported about customers, by the file, and undone."""

from typing import Annotated, cast

import strawberry

from api.context import Info, who
from api.ids import row_id
from api.mutations import Refusal, mutation, payload, result
from api.runs.types import Run
from domain import customers
from domain.access import ADMINS, BUILDERS, PLANNERS
from domain.customers import ImportFormat, ImportOptions, ImportPolicy, MergeRule

IMPORTERS = ADMINS | BUILDERS | PLANNERS
CREATE = "False: a row of an unknown customer is a row error."


@strawberry.input(description="What a column's values do to those that are stored already.")
class ImportMergeInput:
    column: str = strawberry.field(description="The column's name.")
    rule: MergeRule = strawberry.field(description="What its values do.")


@strawberry.input(description="A file to import.")
class ImportInput:
    file_id: strawberry.ID = strawberry.field(description="What POST /files answered.")
    policy: ImportPolicy = strawberry.field(
        default=ImportPolicy.REJECT_FAILED_ROWS, description="What is done with rows that will not do."
    )
    format: ImportFormat | None = strawberry.field(
        default=None,
        description="How it holds its rows; if left out: by its name (.jsonl, .ndjson, .xlsx), else CSV.",
    )
    merge: list[ImportMergeInput] = strawberry.field(
        default_factory=list,
        description="By column, what its values do to stored ones; OVERWRITE for those not named.",
    )
    mandatory: list[str] = strawberry.field(
        default_factory=list,
        description="Columns that every record must have, besides those that are always needed.",
    )
    dry_run: bool = strawberry.field(
        default=False, description="Only say what would come of it: the same answer, and nothing is stored."
    )
    quality_gate: bool = strawberry.field(
        default=False, description="Take nothing if fewer than 98 % of the records are accurate."
    )


@payload("An import was asked for.")
class CustomersImportPayload:
    run: Run = strawberry.field(description="The run that does it.")


@payload("An import was asked for.")
class OrdersImportPayload:
    run: Run = strawberry.field(description="The run that does it.")


@payload("An import was asked for.")
class EventsImportPayload:
    run: Run = strawberry.field(description="The run that does it.")


@payload("The undoing of an import was asked for.")
class ImportUndoPayload:
    run: Run = strawberry.field(description="The run that does it; its row errors list what stays.")


def wanted(input: ImportInput) -> tuple[int, ImportPolicy, ImportOptions]:
    """The file, and how it is to be imported."""
    options = ImportOptions(
        format=input.format,
        merge={each.column: each.rule for each in input.merge},
        mandatory=tuple(input.mandatory),
        dry_run=input.dry_run,
        quality_gate=input.quality_gate,
    )
    return row_id("File", input.file_id, "input.fileId"), input.policy, options


@strawberry.type
class ImportMutations:
    @mutation(
        "Import customers from a file: customer_id, and optionally name, company, phone, email, "
        "registered_at and tags (separated by semicolons).",
        allow=IMPORTERS,
    )
    async def customers_import(
        self, info: Info, input: Annotated[ImportInput, strawberry.argument(description="The file.")]
    ) -> Annotated[CustomersImportPayload | Refusal, result("CustomersImportResult")]:
        file_id, policy, options = wanted(input)
        run = await customers.import_customers(who(info), file_id, policy, options)
        return CustomersImportPayload(run=cast(Run, run))

    @mutation(
        "Import orders from a file: order_id, customer_id, ordered_at and amount, and optionally "
        "quantity, currency, status and delivered_at. Unknown customers are recorded with their orders.",
        allow=IMPORTERS,
    )
    async def orders_import(
        self,
        info: Info,
        input: Annotated[ImportInput, strawberry.argument(description="The file.")],
        create_customers: Annotated[
            bool, strawberry.argument(description="False: an order of an unknown customer is a row error.")
        ] = True,
    ) -> Annotated[OrdersImportPayload | Refusal, result("OrdersImportResult")]:
        file_id, policy, options = wanted(input)
        run = await customers.import_orders(who(info), file_id, policy, create_customers, options)
        return OrdersImportPayload(run=cast(Run, run))

    @mutation(
        "Import what customers did from a file: event_id, customer_id, name and occurred_at, and optionally "
        "data (a JSON object). Unknown customers are recorded with their events.",
        allow=IMPORTERS,
    )
    async def events_import(
        self,
        info: Info,
        input: Annotated[ImportInput, strawberry.argument(description="The file.")],
        create_customers: Annotated[bool, strawberry.argument(description=CREATE)] = True,
    ) -> Annotated[EventsImportPayload | Refusal, result("EventsImportResult")]:
        file_id, policy, options = wanted(input)
        run = await customers.import_events(who(info), file_id, policy, create_customers, options)
        return EventsImportPayload(run=cast(Run, run))

    @mutation(
        "Undo an import: what it created goes, what it changed is as it was before. What was changed or "
        "built upon since stays, and is listed among the row errors of the run, by the line of the file.",
        allow=IMPORTERS,
    )
    async def import_undo(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the import's run.")],
    ) -> Annotated[ImportUndoPayload | Refusal, result("ImportUndoResult")]:
        run = await customers.undo_import(who(info), row_id("Run", id))
        return ImportUndoPayload(run=cast(Run, run))
