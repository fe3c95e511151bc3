"""`careline runs cancel`, `retry`, `pause` and `resume`: machine work steered over GraphQL."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from api.board import where
from api.client import Client, Failed

AGAIN = "mutation ($where: RunWhere!) { done: runsRetry(where: $where) {"
AGAIN += " __typename ... on RunsRetryPayload { count more } ... on Refusal { userErrors { message } } } }"


def _console(console: Console | None) -> Console:
    return console or Console(soft_wrap=True, markup=False, highlight=False)


async def cancel(client: Client, ids: Sequence[str], console: Console | None = None) -> None:
    """Ask runs to end. What is refused is told at the end, and keeps none of the others from it."""
    await _each(client, "runCancel", ids, _console(console))


async def retry(
    client: Client,
    ids: Sequence[str],
    states: list[str],
    kinds: list[str],
    console: Console | None = None,
) -> None:
    """Queue failed and cancelled runs again: those named, or all of these states and kinds."""
    out = _console(console)
    if bool(ids) is bool(states or kinds):
        raise Failed("name runs, or choose them by --state and --kind")
    if ids:
        await _each(client, "runRetry", ids, out)
        return
    count, more = 0, True
    while more:
        done = (await client.ask(AGAIN, where=where(states, kinds)))["done"]
        if done["__typename"] == "Refusal":
            raise Failed("; ".join(error["message"] for error in done["userErrors"]))
        count, more = count + done["count"], done["more"] and done["count"] > 0
    out.print(f"{count} queued again")


async def _each(client: Client, mutation: str, ids: Sequence[str], out: Console) -> None:
    refused = []
    for run_id in ids:
        try:
            done = await client.change(mutation, "run { id kind state }", "$id: ID!", "id: $id", id=run_id)
        except Failed as no:
            refused.append(f"{run_id}: {no}")
            continue
        run = done["run"]
        out.print(f"{run['id']}  {run['kind']}  {run['state']}")
    if refused:
        raise Failed("; ".join(refused))


async def pause(
    client: Client, queue: str | None, kind: str | None, reason: str, console: Console | None = None
) -> None:
    """Start no more runs of a queue or kind."""
    what = _selection(queue, kind)
    done = await client.change(
        "queuePause",
        "paused",
        "$what: RunSelection!, $reason: String!",
        "what: $what, reason: $reason",
        what=what,
        reason=reason,
    )
    _console(console).print(f"{queue or kind}: {'paused' if done['paused'] else 'was paused already'}")


async def resume(client: Client, queue: str | None, kind: str | None, console: Console | None = None) -> None:
    """Let a queue or kind go on."""
    what = _selection(queue, kind)
    done = await client.change("queueResume", "resumed", "$what: RunSelection!", "what: $what", what=what)
    _console(console).print(f"{queue or kind}: {'goes on' if done['resumed'] else 'was not paused'}")


def _selection(queue: str | None, kind: str | None) -> dict[str, Any]:
    if (queue is None) is (kind is None):
        raise Failed("name a --queue or a --kind")
    return {"queue": queue.upper()} if queue is not None else {"kind": kind}
