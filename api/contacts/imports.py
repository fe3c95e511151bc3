"""Past contacts and consents, imported by the file."""

from typing import Annotated, cast

import strawberry

from api.context import Info, who
from api.customers.imports import IMPORTERS, ImportInput, wanted
from api.mutations import Refusal, mutation, payload, result
from api.runs.types import Run
from domain import contacts


@payload("An import was asked for.")
class InteractionsImportPayload:
    run: Run = strawberry.field(description="The run that does it.")


@payload("An import was asked for.")
class ConsentsImportPayload:
    run: Run = strawberry.field(description="The run that does it.")


@strawberry.type
class ContactImportMutations:
    @mutation(
        "Import contacts that took place from a file: customer_id, occurred_at, channel, direction, result, "
        "and optionally personal and note. The same contact again is not added again.",
        allow=IMPORTERS,
    )
    async def interactions_import(
        self, info: Info, input: Annotated[ImportInput, strawberry.argument(description="The file.")]
    ) -> Annotated[InteractionsImportPayload | Refusal, result("InteractionsImportResult")]:
        run = await contacts.import_interactions(who(info), *wanted(input))
        return InteractionsImportPayload(run=cast(Run, run))

    @mutation(
        "Import what customers have said about contacts from a file: customer_id, purpose, granted (true or "
        "false), source and stated_at, and optionally notice_version. The same statement again is not added "
        "again.",
        allow=IMPORTERS,
    )
    async def consents_import(
        self, info: Info, input: Annotated[ImportInput, strawberry.argument(description="The file.")]
    ) -> Annotated[ConsentsImportPayload | Refusal, result("ConsentsImportResult")]:
        run = await contacts.import_consents(who(info), *wanted(input))
        return ConsentsImportPayload(run=cast(Run, run))
