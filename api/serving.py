"""Runs a server or a worker until it is told to stop, and says in one line why it cannot."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import IO

import structlog
from starlette.applications import Starlette

from api import app
from api.listening import BACKLOG, CannotStart, answering, bound_socket, unready, web_server
from api.live import streams
from api.making_way import beside, making_way, taken
from domain import db, nudges, tracing
from domain.db import embedded
from domain.db.connection import LOCK_SECONDS
from domain.db.migrate import FIRST, GIVE_WAY_SECONDS, ahead, migrate, pending
from domain.runs import QUEUES
from domain.settings import Settings
from jobs.broker import BrokerAway, check_redis
from jobs.vitals import Vitals
from jobs.worker import working

ANSWER_SECONDS, WORK_SECONDS, MIGRATE_SECONDS = db.ANSWER_SECONDS - 0.5, 900.0, 86_400.0
"""How long a statement may take: for a client, in machine work, in a migration."""
log = structlog.get_logger(__name__)


class BrokenOff(Exception):
    """Somebody interrupted a server before it served; what it had begun is closed in good order."""


@contextlib.contextmanager
def only_process(settings: Settings, *, migrating: bool = False) -> Iterator[IO[str] | None]:
    """Hold the embedded database for this process alone: SQLite has one writer. The lock, where there is one.

    Who migrates may have it while a server has it too, which makes way.
    """
    if not settings.embedded_database:
        yield None
        return
    file = settings.database_file
    path = file.with_name(f"{file.name}.lock")
    try:
        embedded.make_private(path)
        opened_lock = path.open("a+")
    except OSError as error:
        raise CannotStart(
            f"cannot make the database {settings.database_url}: {error.strerror}: {error.filename}"
        ) from error
    with opened_lock as lock:
        if not taken(lock, fcntl.LOCK_EX):
            if migrating:
                with beside(file, lock):
                    yield lock
                return
            lock.seek(0)
            raise CannotStart(
                f"another Careline process ({lock.read().strip() or 'unknown'}) has {settings.database_url}; "
                "talk to it over GraphQL"
            )
        lock.truncate(0)
        lock.write(f"pid {os.getpid()}")
        lock.flush()
        yield lock


@contextlib.asynccontextmanager
async def opened(
    settings: Settings,
    *,
    migrating: bool = False,
    answering: bool = False,
    meanwhile: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext,
) -> AsyncIterator[None]:
    """The database, up to date. An embedded one is brought up to date; a server's is only checked.

    One that a newer version has migrated is as good: each version's schema suits the version before it.

    `meanwhile` is entered for the time that one with data in it is behind. A statement may take as long
    as machine work does; where only clients are answered, as long as they wait.

    Raises:
        CannotStart: it is away, in use, or behind.
    """
    with only_process(settings, migrating=migrating) as lock:
        try:
            seconds = ANSWER_SECONDS if answering else MIGRATE_SECONDS if migrating else WORK_SECONDS
            async with db.open_database(
                settings.database_url,
                statement_seconds=seconds,
                connections=settings.database_connections,
                lock_seconds=GIVE_WAY_SECONDS if migrating else LOCK_SECONDS,
            ):
                if not settings.embedded_database and await db.shares_sessions(settings.database_url):
                    raise CannotStart(
                        "clients share the database's sessions, as behind PgBouncer in transaction mode: "
                        "one would see another's workspace. Use session mode, or no pooler"
                    )
                if settings.embedded_database or migrating:
                    missing = await pending(settings.database_url)
                    behind = bool(missing) and missing[0] != FIRST
                    async with meanwhile() if behind else contextlib.nullcontext():
                        await migrate(settings.database_url)
                elif missing := await pending(settings.database_url):
                    raise CannotStart(
                        f"the database lacks {', '.join(missing)}: run `careline migrate` first"
                    )
                if newer := await ahead(settings.database_url):
                    log.warning("schema_newer", steps=newer, means="a newer version has migrated it")
                async with contextlib.AsyncExitStack() as stack:
                    if lock is not None and not migrating:
                        await stack.enter_async_context(making_way(settings.database_file, lock))
                    await stack.enter_async_context(db.keeping_time())
                    await stack.enter_async_context(nudges.across_processes(settings.database_url))
                    yield
        except (db.Unreachable, BrokerAway) as error:
            raise CannotStart(str(error)) from error


@contextlib.contextmanager
def _traced(settings: Settings) -> Iterator[None]:
    """Tell OpenTelemetry of this process, where the settings ask for it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(tracing.telling(settings))
        except tracing.Missing as error:
            raise CannotStart(str(error)) from error
        yield


class Stop(asyncio.Event):
    """Is set when somebody asks this process to stop."""

    interrupted = False
    """It was from a keyboard."""

    def _heard(self, number: int) -> None:
        self.interrupted = self.interrupted or number == signal.SIGINT
        self.set()

    @classmethod
    def heard(cls) -> "Stop":
        """From now on SIGINT and SIGTERM set it, and do nothing else."""
        stop = cls()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop._heard, number)
        return stop


async def _look_at_the_wall() -> None:
    """Say so where nothing but our own conditions keeps one workspace from another's rows."""
    if (gap := await db.gap()) is not None:
        log.warning("wall_missing", why=gap, what="row-level security does not hold: see docs/operations.md")


def needs_known_queues(settings: Settings) -> None:
    """Raises `CannotStart` when this process is to work on a queue that there is not, or on none."""
    known = ", ".join(QUEUES)
    if strange := [queue for queue in settings.worker_queues if queue not in QUEUES]:
        raise CannotStart(f"no queue is called {', '.join(strange)}; there are {known}")
    if not settings.worker_queues:
        raise CannotStart(f"CARELINE_WORKER_QUEUES names no queue; there are {known}")


async def serve(
    settings: Settings,
    *,
    before: Callable[[Starlette], Awaitable[None]] | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until told to stop; without REDIS_URL the work is done in this process too.

    `before` is done with the application before anybody can connect; `ready` is told the URL.

    Raises:
        CannotStart: with the reason.
        BrokenOff: it was interrupted before it served.
    """
    needs_known_queues(settings)
    stop = Stop.heard()
    with _traced(settings):
        served = await _serve(settings, stop, before, ready)
    if served:
        log.info("stopped", pid=os.getpid())
        return
    log.info("stopped", pid=os.getpid(), before="serving")
    if stop.interrupted:
        raise BrokenOff


async def _serve(
    settings: Settings,
    stop: Stop,
    before: Callable[[Starlette], Awaitable[None]] | None,
    ready: Callable[[str], None] | None,
) -> bool:
    """Whether it came to serving at all."""
    answering = settings.redis_url is not None
    async with contextlib.AsyncExitStack() as stack:
        sockets: list[socket.socket] = []

        def socket_of_this() -> socket.socket:
            if not sockets:
                sockets.append(stack.enter_context(contextlib.closing(bound_socket(settings))))
            return sockets[0]

        await stack.enter_async_context(
            opened(settings, answering=answering, meanwhile=lambda: unready(socket_of_this()))
        )
        await _look_at_the_wall()
        bound = socket_of_this()
        clock = None
        if settings.redis_url:
            await asyncio.to_thread(check_redis, settings.redis_url)
        else:
            clock = await stack.enter_async_context(working(settings))
        application = app.create(settings, Vitals(settings, clock))
        if before is not None and not await _unless(stop, before(application)):
            return False
        if stop.is_set():
            return False
        bound.listen(BACKLOG)
        url = f"http://{settings.host}:{bound.getsockname()[1]}"
        server = web_server(application)
        serving = asyncio.create_task(server.serve(sockets=[bound]), name="server")
        if ready is not None:
            ready(url)
        log.info("serving", url=url, pid=os.getpid())  # last: who waits for this line may look for the rest
        await _unless(stop, asyncio.shield(serving))
        server.should_exit = True
        streams.end()
        await serving
    return True


async def _unless(stop: asyncio.Event, what: Awaitable[None]) -> bool:
    """Do something unless this process is told to stop meanwhile; whether it was done."""
    doing = asyncio.ensure_future(what)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if doing.done():
        doing.result()
        return True
    doing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await doing
    return False


def needs_server(settings: Settings) -> None:
    """Raises `CannotStart` when the database is embedded: it has one process."""
    if settings.embedded_database:
        raise CannotStart(
            "a worker of its own needs PostgreSQL; with SQLite `careline serve` does the work itself"
        )


async def work(settings: Settings) -> None:
    """Work until told to stop; with CARELINE_METRICS_PORT, answer operators meanwhile."""
    needs_server(settings)
    needs_known_queues(settings)
    stop = Stop.heard()
    with _traced(settings):
        async with opened(settings), working(settings) as clock, answering(settings, Vitals(settings, clock)):
            await _look_at_the_wall()
            log.info("working", pid=os.getpid(), queues=list(settings.worker_queues))
            await stop.wait()
    log.info("stopped", pid=os.getpid())
