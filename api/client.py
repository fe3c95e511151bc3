"""A small client of Careline's own API: what the command line and the demonstration speak."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

POLL_SECONDS = 0.2
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
RUN = "id kind state progress { done total unit message } result { name value } errors { code message }"


class Failed(Exception):
    """The server refused or failed; the message says why."""


class Client:
    """Speaks GraphQL to one server with one key."""

    def __init__(self, url: str, api_key: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._http = httpx2.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=60,
            transport=transport,
        )

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation.

        Raises:
            Failed: with the server's own words.
        """
        answer = await self._http.post("/graphql", json={"query": document, "variables": variables})
        body = answer.json()
        if body.get("errors"):
            raise Failed("; ".join(error["message"] for error in body["errors"]))
        data: dict[str, Any] = body["data"]
        return data

    async def change(
        self, mutation: str, fields: str, declared: str = "", passed: str = "", **variables: Any
    ) -> Any:
        """A mutation's payload, once however often it is called with the same `key`."""
        variables.setdefault("key", str(uuid.uuid4()))
        name = mutation[0].upper() + mutation[1:]
        document = (
            f"mutation ($key: String, {declared}) {{ done: {mutation}(idempotencyKey: $key, {passed}) {{"
            f" __typename ... on {name}Payload {{ {fields} }}"
            " ... on Refusal { userErrors { message field } } } }"
        )
        done = (await self.ask(document, **variables))["done"]
        if done["__typename"] == "Refusal":
            raise Failed("; ".join(error["message"] for error in done["userErrors"]))
        return done

    async def upload(self, path: Path) -> str:
        """Send a file; its id."""

        async def parts() -> Any:
            with path.open("rb") as source:
                while part := await asyncio.to_thread(source.read, 2**18):
                    yield part

        answer = await self._http.post("/files", params={"name": path.name}, content=parts())
        if answer.status_code >= 400:
            raise Failed(f"upload of {path.name}: {answer.text}")
        return str(answer.json()["fileId"])

    async def run(self, run_id: str) -> dict[str, Any]:
        data = await self.ask(f"query ($id: ID!) {{ run(id: $id) {{ {RUN} }} }}", id=run_id)
        found: dict[str, Any] = data["run"]
        return found

    async def finish(self, run_id: str, title: str, console: Console | None = None) -> dict[str, Any]:
        """Follow a run with a progress bar until it has ended.

        Raises:
            Failed: it did not succeed.
        """
        columns = (
            TextColumn("  {task.description:<28}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        with Progress(*columns, console=console or Console(stderr=True)) as progress:
            bar = progress.add_task(title, total=None)
            while True:
                run = await self.run(run_id)
                done, total = run["progress"]["done"], run["progress"]["total"]
                progress.update(bar, completed=done, total=total)
                if run["state"] in ENDED:
                    break
                await asyncio.sleep(POLL_SECONDS)
            progress.update(bar, completed=done, total=done or 1)
        if run["state"] != "SUCCEEDED":
            why = "; ".join(f"{e['code']}: {e['message']}" for e in run["errors"])
            raise Failed(f"{title}: {run['state']} {why}")
        return run


async def follow_import(client: Client, kind: str, path: Path) -> None:
    """Send a CSV file and follow its import to the end."""
    file_id = await client.upload(path)
    done = await client.change(
        f"{kind}Import", f"run {{ {RUN} }}", "$file: ID!", "input: {fileId: $file}", file=file_id
    )
    run = await client.finish(done["run"]["id"], f"import {path.name}")
    for entry in run["result"]:
        Console().print(f"{entry['name']:>20}  {entry['value']}")


async def show_runs(client: Client, *, watch: bool) -> None:
    """A table of the latest runs; with `watch`, for as long as it is looked at."""

    async def table() -> Table:
        data = await client.ask(f"{{ runs(first: 20) {{ nodes {{ {RUN} attempt startedBy queuedAt }} }} }}")
        made = Table("kind", "state", "done", "try", "asked for by", "since", title="Runs")
        for run in data["runs"]["nodes"]:
            progress = run["progress"]
            of = f"{progress['done']}/{progress['total'] or '?'} {progress['unit']}"
            made.add_row(
                run["kind"], run["state"], of, str(run["attempt"]), run["startedBy"], run["queuedAt"][:19]
            )
        return made

    console = Console()
    if not watch:
        console.print(await table())
        return
    with Live(await table(), console=console) as shown:
        while True:
            await asyncio.sleep(1)
            shown.update(await table())
