"""The command line, and the one place that knows both the API and the jobs."""

import json
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from api import logs, loop, steering
from api.board import show_runs
from api.client import Client, Failed, follow_import
from api.listening import MOST_WORKERS, CannotStart
from api.serving import BrokenOff, Stop, needs_known_queues, needs_server, opened, serve, work
from api.supervising import end_with_parent, supervise
from domain import db, workspaces
from domain.access import Role, system
from domain.db.migrate import grant
from domain.errors import DomainError
from domain.runs import RunState
from domain.settings import BadSettings, Settings, from_environment

cli = typer.Typer(add_completion=False, no_args_is_help=True, help="Careline: customer care and retention.")
WHERE = Path(".data/demo.json")
Url = Annotated[str | None, typer.Option(help="The server's URL.", envvar="CARELINE_URL")]
ApiKey = Annotated[str | None, typer.Option(help="An API key.", envvar="CARELINE_API_KEY")]
States = Annotated[
    list[RunState] | None, typer.Option(case_sensitive=False, help="Only of this state; may be repeated.")
]
Kinds = Annotated[list[str] | None, typer.Option(help="Only of this kind; may be repeated.")]
OfQueue = Annotated[str | None, typer.Option(help="All runs of this queue.")]
OfKind = Annotated[str | None, typer.Option(help="All runs of this kind.")]


def _settings(**overrides: Any) -> Settings:
    try:
        settings = from_environment(**{name: value for name, value in overrides.items() if value is not None})
    except BadSettings as error:
        _stop(f"bad settings:\n  {str(error).replace(chr(10), chr(10) + '  ')}")
    logs.configure(settings.log_style, settings.profile)
    return settings


def _stop(message: str) -> NoReturn:
    typer.echo(f"careline: {message}", err=True)
    raise typer.Exit(1)


def _run(what: Coroutine[Any, Any, None]) -> None:
    try:
        loop.run(what)
    except (CannotStart, DomainError, Failed) as error:
        _stop(str(error))
    except (KeyboardInterrupt, BrokenOff):
        raise typer.Exit(130) from None


@cli.command("serve")
def serve_command() -> None:
    """Serve the API; without REDIS_URL the work is done in the same process."""
    _run(serve(_settings()))


@cli.command()
def worker(
    queues: Annotated[
        str | None, typer.Option(help="Which queues, separated by commas: timers,default,recompute,reports.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, max=MOST_WORKERS, help="How many worker processes.")] = 1,
    threads: Annotated[int | None, typer.Option(help="Threads of each, 2 to 64.")] = None,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Run workers: they need PostgreSQL, and use Redis where REDIS_URL is set.

    Several of them are looked after: one that dies is started again, and all end with this command.
    """
    settings = _settings(worker_threads=threads, worker_queues=queues)
    if supervised:
        end_with_parent()
    _run(work(settings) if processes == 1 else _workers(settings, processes))


async def _workers(settings: Settings, processes: int) -> None:
    needs_server(settings)
    needs_known_queues(settings)
    worker = ["worker", "--threads", str(settings.worker_threads), "--supervised"]
    worker += ["--queues", ",".join(settings.worker_queues)]
    if not await supervise([sys.executable, "-m", "api", *worker], processes, Stop.heard()):
        raise typer.Exit(1)


@cli.command()
def migrate(
    grant_to: Annotated[
        str | None, typer.Option(help="The role that serves and works: it may use the tables and owns none.")
    ] = None,
) -> None:
    """Bring the database's schema up to date, as the role that owns it."""
    settings = _settings()

    async def bring() -> None:
        async with opened(settings, migrating=True):
            if grant_to is not None:
                await grant(grant_to)
            typer.echo("the schema is up to date")

    _run(bring())


@cli.command()
def workspace(
    name: Annotated[str, typer.Argument(help="The company's name.")],
    zone: Annotated[str, typer.Option(help="Time zone.")] = "Asia/Shanghai",
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "CNY",
    sandbox_at: Annotated[
        str | None,
        typer.Option(help="Make a sandbox whose clock stands here, such as 2025-03-03T12:00:00+08:00."),
    ] = None,
) -> None:
    """Create a workspace with an owner, and print the owner's API key: it is shown once."""
    settings = _settings()
    clock_at = _instant("--sandbox-at", sandbox_at) if sandbox_at else None

    async def make() -> None:
        async with opened(settings):
            db.enter_everywhere()
            made = await workspaces.create(name, zone=zone, currency=currency, clock_at=clock_at)
            owner = await workspaces.add_user(
                made.id, "Owner", f"owner@workspace-{made.id}.invalid", Role.OWNER
            )
            key = await workspaces.create_key(
                system(made.id), name="owner", role=Role.OWNER, user_id=owner.id
            )
            typer.echo(json.dumps({"workspaceId": made.id, "apiKey": key.secret}))

    _run(make())


def _instant(option: str, text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
        given.astimezone(UTC)
    except (ValueError, OverflowError):
        _stop(f"{option}: {text} is no instant; write it like 2025-03-03T12:00:00+08:00")
    if given.tzinfo is None:
        _stop(f"{option} needs an offset, such as +08:00")
    return given


@cli.command()
def token(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    role: Annotated[Role, typer.Option(help="What its bearer may do.")] = Role.ADMIN,
    workspace_id: Annotated[int, typer.Option("--workspace", help="Number of the workspace.")] = 1,
) -> None:
    """Create an API key and print it, once. Against a running embedded server use `apiKeyCreate`."""
    settings = _settings()

    async def make() -> None:
        async with opened(settings):
            db.enter(workspace_id)
            await workspaces.get(workspace_id)
            key = await workspaces.create_key(system(workspace_id), name=name, role=role)
            typer.echo(json.dumps({"apiKey": key.secret}))

    _run(make())


@cli.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from api.schema import schema as built

    typer.echo(built.as_str())


@cli.command()
def demo(
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Keep the data set's own dates of 1997 and 1998.")
    ] = False,
) -> None:
    """Serve a workspace filled with real orders, on an embedded database under .data/."""
    from api.demo import play

    settings = _settings()
    _run(play(settings, WHERE, as_is=as_is))


@cli.command("import")
def import_command(
    kind: Annotated[str, typer.Argument(help="customers, orders, events, interactions or consents.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file: .jsonl, .xlsx or CSV.")],
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Send a file to a server and follow its import."""
    if kind not in ("customers", "orders", "events", "interactions", "consents"):
        _stop("import customers, orders, events, interactions or consents")
    _run(follow_import(_client(url, api_key), kind, file))


runs_cli = typer.Typer(invoke_without_command=True)
cli.add_typer(runs_cli, name="runs")


@runs_cli.callback()
def runs(
    context: typer.Context,
    url: Url = None,
    api_key: ApiKey = None,
    watch: Annotated[bool, typer.Option(help="Go on showing them.")] = False,
    state: States = None,
    kind: Kinds = None,
) -> None:
    """Show machine work on a server, its queues and its latest runs; or steer it."""
    if context.invoked_subcommand is None:
        states = [each.value for each in state or []]
        _run(show_runs(_client(url, api_key), watch=watch, states=states, kinds=kind or []))
    elif given := [name for name in context.params if _written(context, name)]:
        option = given[0].replace("_", "-")
        _stop(f"write --{option} behind {context.invoked_subcommand}")


def _written(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line itself; the environment's are for all commands."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


@runs_cli.command("cancel")
def cancel_runs(
    ids: Annotated[list[str], typer.Argument(help="Ids of runs.")], url: Url = None, api_key: ApiKey = None
) -> None:
    """Ask runs to end: at once if they wait, at their next step if they run."""
    _run(steering.cancel(_client(url, api_key), ids))


@runs_cli.command("retry")
def retry_runs(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of runs.")] = None,
    state: States = None,
    kind: Kinds = None,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Queue failed and cancelled runs again: those named, or all of a state or kind."""
    states = [each.value for each in state or []]
    _run(steering.retry(_client(url, api_key), ids or [], states, kind or []))


@runs_cli.command("pause")
def pause_runs(
    queue: OfQueue = None,
    kind: OfKind = None,
    reason: Annotated[str, typer.Option(help="Why, for the others to read.")] = "",
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Start no more runs of a queue or kind until it is resumed; what runs goes on."""
    _run(steering.pause(_client(url, api_key), queue, kind, reason))


@runs_cli.command("resume")
def resume_runs(queue: OfQueue = None, kind: OfKind = None, url: Url = None, api_key: ApiKey = None) -> None:
    """Let a paused queue or kind go on."""
    _run(steering.resume(_client(url, api_key), queue, kind))


def _client(url: str | None, api_key: str | None) -> Client:
    try:
        known = json.loads(WHERE.read_text()) if WHERE.exists() and not (url and api_key) else {}
        url, api_key = url or known.get("url"), api_key or known.get("apiKey")
    except (OSError, ValueError, AttributeError) as error:
        _stop(f"cannot read {WHERE}: {error}")
    if not url or not api_key:
        _stop("say where: --url and --api-key (or CARELINE_URL and CARELINE_API_KEY)")
    try:
        return Client(url, api_key.strip())
    except Failed as error:
        _stop(str(error))


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
