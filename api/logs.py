"""Structured logs: events and ids, never personal data."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from domain.settings import LogStyle


def _place(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where an exception and those behind it arose, and of which types they are."""
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    lines: list[str] = []
    while error is not None:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        lines = [*traceback.format_tb(error.__traceback__), f"{name}\n", *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if lines:
        event["exception"] = "".join(lines)
    return event


def configure(style: LogStyle) -> None:
    """Send everything, the libraries' warnings included, to standard error in one shape."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks show code and lines, never the values of variables; in production, where the data are
    # real people's, nor what an exception says: a database's errors quote the row.
    if style is LogStyle.JSON:
        renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
        shared.append(_place)
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    # What a resolver raises is logged once, with its incident, by the mask.
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)
