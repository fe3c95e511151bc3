"""Whether this process lives, whether it can serve, and its figures for Prometheus."""

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from domain import db, runs

READY_SECONDS = 3.0
STALLED_SECONDS = 30.0


def routes(clock_ticked: Callable[[], float] | None) -> list[Route]:
    """`clock_ticked` says when this process's clock last came round; none when it has no clock."""

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        problems = {}
        try:
            async with asyncio.timeout(READY_SECONDS):
                await db.value("SELECT 1 AS one")
        except Exception as error:
            problems["database"] = type(error).__name__
        if clock_ticked is not None and time.monotonic() - clock_ticked() > STALLED_SECONDS:
            problems["clock"] = "stalled"
        if problems:
            return JSONResponse({"status": "unavailable", "problems": problems}, 503)
        return JSONResponse({"status": "ok"})

    async def metrics(_: Request) -> Response:
        registry = CollectorRegistry()
        states = Gauge("careline_runs", "Runs by state.", ["state"], registry=registry)
        lag = Gauge("careline_feed_lag", "Journal lines not yet reacted to.", registry=registry)
        for state in runs.RunState:
            states.labels(state.value)
        for row in await db.rows("SELECT state, count(*) AS n FROM runs GROUP BY state"):
            states.labels(row["state"]).set(row["n"])
        lag.set(await db.value("SELECT COALESCE(SUM(head - reacted), 0) AS lag FROM feeds"))
        return PlainTextResponse(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/metrics", metrics),
    ]
