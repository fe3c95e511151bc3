"""What an import found in its file, as clients see it beside its run."""

from datetime import datetime
from typing import Any

import strawberry

from api.context import Info, load
from api.ids import global_id
from api.nodes import extends
from api.runs.types import Run
from domain import customers, files, timekeeping


@strawberry.type(description="How well one column of an imported file was filled.")
class ColumnQuality:
    name: str = strawberry.field(description="The column.")
    filled: int = strawberry.field(description="Rows in which something stands there.")
    completeness: float = strawberry.field(description="Their share in percent, rounded down.")
    outliers: int | None = strawberry.field(
        description="Values that lie more than three interquartile ranges beyond the quartiles, on a scale "
        "of doublings; null where the column holds no numbers."
    )


@strawberry.type(description="How often one rule was broken.")
class BrokenRule:
    column: str | None = strawberry.field(description="The column, if one is to blame.")
    code: str = strawberry.field(description="The kind of mistake.")
    count: int = strawberry.field(description="How often.")


@strawberry.type(description="The rows that were not taken whole: as they came, and what is wrong with them.")
class RowErrorFile:
    file: strawberry.Private[files.File]

    @strawberry.field(description="Where to fetch it, below the server's address, with the same credential.")
    def url(self) -> str:
        return f"/files/{global_id('File', self.file.id)}"

    @strawberry.field(description="Its id, by which it can be imported again as it is.")
    def file_id(self) -> strawberry.ID:
        return strawberry.ID(global_id("File", self.file.id))

    @strawberry.field(description="Its name.")
    def name(self) -> str:
        return str(self.file.name)

    @strawberry.field(description="Its size in bytes.")
    def size_bytes(self) -> int:
        return int(self.file.size)

    @strawberry.field(description="When it will be gone.")
    def expires_at(self) -> datetime | None:
        return self.file.expires_at  # type: ignore[no-any-return]


@strawberry.type(description="What an import found in its file.")
class ImportReport:
    found: strawberry.Private[Any]
    columns: list[ColumnQuality] = strawberry.field(description="The file's columns, in its order.")

    @strawberry.field(description="Whether it only said what would come of it.")
    def dry_run(self) -> bool:
        return bool(self.found.dry_run)

    @strawberry.field(description="Rows of the file.")
    def rows(self) -> int:
        return int(self.found.rows)

    @strawberry.field(
        description="Rows of which a mandatory field will not do, or whose key came before in the file."
    )
    def inaccurate(self) -> int:
        return int(self.found.inaccurate)

    @strawberry.field(description="Of these, rows whose key came before in the file.")
    def repeated(self) -> int:
        return int(self.found.repeated)

    @strawberry.field(description="The share of accurate rows in percent, rounded down at the fifth digit.")
    def accuracy(self) -> float:
        return float(self.found.accuracy)

    @strawberry.field(
        description="Whether at least 98 % of the rows are accurate, by whole numbers: 97.99995 % are not."
    )
    def accepted(self) -> bool:
        return bool(self.found.accepted)

    @strawberry.field(description="The rules that were broken, the most frequent first.")
    async def broken_rules(self, info: Info) -> list[BrokenRule]:
        rules = await load(info, customers.fault_counts, self.found.run_id)
        return [BrokenRule(column=rule.column, code=rule.code, count=rule.times) for rule in rules or []]

    @strawberry.field(
        description="The rows that were not taken whole, to be corrected and imported again; null if there "
        "are none, or the file has expired."
    )
    async def error_file(self, info: Info) -> RowErrorFile | None:
        file = await load(info, files.File.by_ids, self.found.error_file_id)
        if file is None or (file.expires_at is not None and file.expires_at <= timekeeping.machine_now()):
            return None
        return RowErrorFile(file=file)


@extends(Run)
class RunImportReport:
    @strawberry.field(
        description="What an import found in its file; null for other runs and until it was read to its end."
    )
    async def import_report(self: Any, info: Info) -> ImportReport | None:
        found = await load(info, customers.import_reports, self.id)
        if found is None:
            return None
        columns = [
            ColumnQuality(
                name=each["name"],
                filled=each["filled"],
                completeness=found.completeness(each["filled"]),
                outliers=each["outliers"],
            )
            for each in found.figures
        ]
        return ImportReport(found=found, columns=columns)
