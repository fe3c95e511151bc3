"""The types of reports and their files."""

import asyncio
from datetime import datetime
from typing import Any, cast

import strawberry

from api.context import Info, load
from api.ids import global_id
from api.nodes import Node, node_type
from api.runs import Run
from domain import files, kpis, runs
from domain.language import Language


@strawberry.type(description="A file that belongs to a report.")
class ReportFile:
    table: str | None = strawberry.field(description="Which table it holds; null for the page.")
    file: strawberry.Private[files.File]

    @strawberry.field(description="Where to fetch it, below the server's address, with the same credential.")
    def url(self) -> str:
        return f"/files/{global_id('File', self.file.id)}"

    @strawberry.field(description="Its name.")
    def name(self) -> str:
        return str(self.file.name)

    @strawberry.field(description="Its media type.")
    def media_type(self) -> str:
        return str(self.file.media_type)

    @strawberry.field(description="Its size in bytes.")
    def size_bytes(self) -> int:
        return int(self.file.size)

    @strawberry.field(description="SHA-256 of its bytes, in hexadecimal.")
    def sha256(self) -> str:
        return str(self.file.sha256)


async def _file(info: Info, file_id: int, table: str | None = None) -> ReportFile:
    file = await load(info, files.File.by_ids, file_id)
    assert file is not None, "a report's files stay as long as it does"
    return ReportFile(table=table, file=file)


@node_type(kpis.Report, description="A finished report: one page that needs nothing else, and its tables.")
class Report(Node):
    title: str = strawberry.field(description="Its title.")
    language: Language = strawberry.field(description="The language it is written in.")
    as_of: datetime = strawberry.field(description="The business time that it tells of.")
    created_at: datetime = strawberry.field(description="When it was built, in machine time.")
    process_id: int = strawberry.field(description="The worker process that built it.")

    @strawberry.field(description="The page, as one HTML file.")
    async def html(self: Any, info: Info) -> ReportFile:
        return await _file(info, self.html_file_id)

    @strawberry.field(description="The tables, as CSV files: kpis, matrix and trend.")
    async def tables(self: Any, info: Info) -> list[ReportFile]:
        named = sorted(self.table_file_ids.items())
        # All at once, so that one statement reads them, whatever the page size.
        return await asyncio.gather(*(_file(info, file_id, table) for table, file_id in named))

    @strawberry.field(description="The run that built it.")
    async def run(self: Any, info: Info) -> Run:
        return cast(Run, await load(info, runs.Run.by_ids, self.run_id))
