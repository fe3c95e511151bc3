"""A small client of Careline's own API: what the command line and the demonstration speak."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

POLL_SECONDS = 0.2
ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
SHOWN_ROWS = 10
GZIP = b"\x1f\x8b"
RUN = "id kind state progress { done total unit message } result { name value } errors { code message }"


class Failed(Exception):
    """The server refused, failed or was not to be reached; the message says what happened, and where."""


class Client:
    """Speaks GraphQL to one server with one key."""

    def __init__(self, url: str, api_key: str, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        if not (api_key.isascii() and api_key.isprintable()):
            raise Failed("the API key has characters that no key has")
        self._url = url
        try:
            self._http = self._client(url, api_key, transport)
        except httpx2.InvalidURL as error:
            raise Failed(f"{url} is no URL: {error}") from error

    @staticmethod
    def _client(url: str, api_key: str, transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
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
        body = await self._sent("/graphql", json={"query": document, "variables": variables})
        if errors := body.get("errors"):
            raise Failed(f"{self._url}: " + "; ".join(error["message"] for error in errors))
        if not isinstance(data := body.get("data"), dict):
            raise Failed(f"{self._url} does not answer as Careline does")
        return data

    async def _sent(self, path: str, **request: Any) -> dict[str, Any]:
        """What the server answers to a POST: always an object."""
        try:
            answer = await self._http.post(path, **request)
        except httpx2.TimeoutException as error:
            raise Failed(f"{self._url} does not answer in time") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Failed(f"cannot reach {self._url}: {error or type(error).__name__}") from error
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            raise Failed(f"{self._url} does not take this API key")
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Failed(f"{self._url} does not answer as Careline does (HTTP {answer.status_code})")
        return body

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

        body = await self._sent("/files", params={"name": path.name}, content=parts())
        if "fileId" not in body:
            raise Failed(f"{self._url}: upload of {path.name}: {body.get('error', 'no id came back')}")
        return str(body["fileId"])

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


async def follow_import(client: Client, kind: str, path: Path, console: Console | None = None) -> None:
    """Send a file, follow its import to the end, and show the first rows that were not taken.

    Raises:
        Failed: the import failed, or did not take every row.
    """
    console = console or Console(soft_wrap=True, markup=False, highlight=False)
    try:
        with path.open("rb") as source:
            if source.read(len(GZIP)) == GZIP:
                raise Failed(f"{path.name} is compressed; send the CSV itself, as from `gunzip -k`")
        file_id = await client.upload(path)
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}") from error
    done = await client.change(
        f"{kind}Import", f"run {{ {RUN} }}", "$file: ID!", "input: {fileId: $file}", file=file_id
    )
    run_id = done["run"]["id"]
    try:
        run = await client.finish(run_id, f"import {path.name}")
    except Failed:
        await _show_row_errors(client, run_id, console)
        raise
    figures = {entry["name"]: entry["value"] for entry in run["result"]}
    for name, value in figures.items():
        console.print(f"{name:>20}  {value}")
    await _show_row_errors(client, run_id, console)
    if int(figures.get("rejected", 0)):
        raise Failed(f"{figures['rejected']} of {figures['rows']} rows of {path.name} were not taken")


async def _show_row_errors(client: Client, run_id: str, console: Console) -> None:
    data = await client.ask(
        "query ($id: ID!, $first: Int!) { run(id: $id) { rowErrors(first: $first) "
        "{ totalCount nodes { line column message } } } }",
        id=run_id,
        first=SHOWN_ROWS,
    )
    faults = data["run"]["rowErrors"]
    for fault in faults["nodes"]:
        where = f"line {fault['line']}" + (f", {fault['column']}" if fault["column"] else "")
        console.print(f"{where}: {fault['message']}")
    if more := faults["totalCount"] - len(faults["nodes"]):
        console.print(f"and {more} more")
