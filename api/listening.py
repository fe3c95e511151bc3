"""Sockets to listen on, and the web servers behind them, which end when this process says so."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator

import structlog
import uvicorn
from starlette.applications import Starlette

from api import health
from domain.settings import Settings

STOP_SECONDS = 2
STALLED_PEER_MS = 30_000
MOST_WORKERS = 64
BACKLOG = 2048
log = structlog.get_logger(__name__)


class CannotStart(Exception):
    """Why this process cannot do its work; the message is for whoever started it."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Our own handler stops it; uvicorn would raise the signal again before the workers have ended.
        yield


def bound_socket(settings: Settings) -> socket.socket:
    """The socket to serve on, not listening yet: until it does, a client is refused, not kept waiting."""
    try:
        return _bound(settings.host, settings.port)
    except OSError as error:
        raise CannotStart(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # the kernel drops a peer that stopped reading
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_PEER_MS)
    try:
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound


def _free_socket(host: str, first: int) -> socket.socket:
    """A listening socket on the first free of so many ports as one command may have workers."""
    for port in range(first, min(first + MOST_WORKERS, 65_536)):
        try:
            return _listening(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotStart(f"cannot listen on {host}:{port}: {error.strerror}") from error
    raise CannotStart(f"no port from {first} on is free for CARELINE_METRICS_PORT")


def _listening(host: str, port: int) -> socket.socket:
    bound = _bound(host, port)
    try:
        bound.listen()  # of two that bind one port at once, the second to listen is refused
    except OSError:
        bound.close()
        raise
    return bound


def web_server(application: Starlette) -> uvicorn.Server:
    return _Server(
        uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws_max_size=2**20,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )


@contextlib.asynccontextmanager
async def unready(bound: socket.socket) -> AsyncIterator[None]:
    """Say on a socket, for the time of the block, that there is no service yet.

    From then on it listens: who connects after the block waits for the server that comes.
    """
    bound.listen(BACKLOG)
    server = web_server(health.migrating())
    serving = asyncio.create_task(server.serve(sockets=[bound.dup()]), name="unready")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@contextlib.asynccontextmanager
async def answering(settings: Settings, vitals: health.Vitals) -> AsyncIterator[None]:
    """Serve health and figures for the time of the block, where a port is set for them.

    Workers of one machine share the setting: each takes the first port from there on that is free.
    """
    if settings.metrics_port is None:
        yield
        return
    with contextlib.closing(_free_socket(settings.host, settings.metrics_port)) as bound:
        server = web_server(health.application(vitals))
        serving = asyncio.create_task(server.serve(sockets=[bound]), name="metrics")
        log.info("answering", url=f"http://{settings.host}:{bound.getsockname()[1]}", pid=os.getpid())
        try:
            yield
        finally:
            server.should_exit = True
            await serving
