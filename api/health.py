"""Whether this process lives, whether it can serve, and its figures for Prometheus.

They need no key, and say nothing of anybody's: counts and ages by codes, states and kinds of our own.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.errors import Code, coded
from domain import db
from domain.figures import REGISTRY

READY_SECONDS = 3.0
KEPT_SECONDS = 1.0
"""How long the database's figures are kept: whoever asks more often is told the same."""
log = structlog.get_logger(__name__)


class Vitals(Protocol):
    """What the composition root knows about the work of this process, and of all."""

    async def failing(self) -> dict[str, str]:
        """Why this process cannot do its work, by what it lacks."""
        ...

    async def ailing(self) -> dict[str, str]:
        """What somebody should look at, though this process does its work."""
        ...

    def here(self) -> Iterable[Gauge]:
        """The figures of this process alone."""
        ...

    async def everywhere(self) -> list[Gauge]:
        """The figures of the database, the same from whichever process they are asked."""
        ...


@dataclass(eq=False)
class _Given(Collector):
    figures: list[Gauge]

    def collect(self) -> Iterator[Gauge]:
        yield from self.figures


class _Figures:
    """The database's figures, read once for all who ask within a moment."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals
        self._lock = asyncio.Lock()
        self._read = float("-inf")
        self._kept: list[Gauge] = []

    async def all(self) -> bytes:
        async with self._lock:
            if time.monotonic() - self._read > KEPT_SECONDS:
                self._kept = await self._everywhere()
                self._read = time.monotonic()
        registry = CollectorRegistry()
        registry.register(_Given([*self._vitals.here(), *self._kept]))
        return generate_latest(REGISTRY) + generate_latest(registry)

    async def _everywhere(self) -> list[Gauge]:
        up = "Whether the database answered this process."
        db.answer_within(READY_SECONDS)
        try:
            async with asyncio.timeout(READY_SECONDS):
                return [Gauge("careline_database_up", up, 1), *await self._vitals.everywhere()]
        except Exception as error:
            log.warning("figures_missing", error=type(error).__name__)
            return [Gauge("careline_database_up", up, 0)]


def routes(vitals: Vitals) -> list[Route]:
    """What operators and their tools ask of every process, one that only works included."""
    figures = _Figures(vitals)

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        problems = await vitals.failing()
        warnings: dict[str, str] = {}
        db.answer_within(READY_SECONDS)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await db.value("SELECT 1 AS one")
                warnings = await vitals.ailing()
        except Exception as error:
            problems["database"] = type(error).__name__
        if problems:
            return _told("unavailable", 503, problems=problems)
        return _told("degraded", 200, warnings=warnings) if warnings else _told("ok", 200)

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(await figures.all(), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/metrics", metrics),
    ]


def _told(status: str, code: int, **more: Any) -> Response:
    return JSONResponse({"status": status, **more}, code)


def migrating() -> Starlette:
    """What answers while an embedded database is brought up to date: it lives, and takes nothing yet."""

    async def live(_: Request) -> Response:
        return _told("ok", 200)

    async def ready(_: Request) -> Response:
        return _told("unavailable", 503, problems={"schema": "migrating"})

    async def closed(_: Request) -> Response:
        error = coded(Code.UNAVAILABLE, "The database is being brought up to date; try again in a moment.")
        return JSONResponse({"errors": [error.formatted]}, 503, {"Retry-After": "2"})

    methods = ["GET", "POST"]
    rest = Route("/{path:path}", closed, methods=methods)
    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready), rest])


def application(vitals: Vitals) -> Starlette:
    """A web application of nothing else, for a process that serves no API."""
    return Starlette(routes=routes(vitals))
