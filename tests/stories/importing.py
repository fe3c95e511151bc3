"""Imports as a client does them: a file sent, its run followed, and what was found asked for."""

import asyncio
import csv
import io
import json
from typing import Any

import openpyxl

from tests.stories.stage import Asker, Stage

RUN = """query ($id: ID!) { run(id: $id) { state errorCode errors { message } result { name value }
  progress { done total unit perSecond etaSeconds }
  rowErrors(first: 50) { totalCount nodes { line column code message } }
  importReport { dryRun rows inaccurate repeated accuracy accepted
    columns { name filled completeness outliers } brokenRules { column code count }
    errorFile { url fileId name sizeBytes expiresAt } } } }"""


async def asked(asker: Asker, kind: str, name: str, content: str | bytes, **options: Any) -> str:
    """Send a file and ask for its import; the id of its run."""
    data = content.encode() if isinstance(content, str) else content
    # A task of its own: the time that an upload is given ends with it, and is not the story's.
    given = {"fileId": await asyncio.create_task(asker.upload(name, data)), **options}
    done = await asker.do(
        f"mutation ($input: ImportInput!) {{ {kind}Import(input: $input) {{ __typename "
        f"... on {kind.title()}ImportPayload {{ run {{ id }} }} "
        "... on Refusal { userErrors { code message field } } } }",
        input=given,
    )
    return str(done["run"]["id"])


async def ended(stage: Stage, asker: Asker, run_id: str) -> dict[str, Any]:
    await stage.settle()
    run: dict[str, Any] = (await asker.ask(RUN, id=run_id))["run"]
    run["figures"] = {entry["name"]: int(entry["value"]) for entry in run["result"] or []}
    return run


async def imported(
    stage: Stage, kind: str, name: str, content: str | bytes, **options: Any
) -> dict[str, Any]:
    run_id = await asked(stage.owner, kind, name, content, **options)
    return {"id": run_id, **await ended(stage, stage.owner, run_id)}


def faults(run: dict[str, Any]) -> list[tuple[int, str | None, str]]:
    return [(error["line"], error["column"], error["code"]) for error in run["rowErrors"]["nodes"]]


def workbook(rows: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_json_lines(rows: list[list[str]]) -> str:
    header, *others = rows
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in others)


def as_csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


async def download(stage: Stage, asker: Asker, url: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {asker.key}"}
    answer = await asyncio.create_task(stage.client.get(url, headers=headers))
    return answer.status_code, answer.content.decode("utf-8-sig")
