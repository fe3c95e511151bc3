"""Structured logs: events and ids, never personal data."""

import logging
import sys

import structlog

from domain.settings import LogStyle


def configure(style: LogStyle) -> None:
    """Send everything, the libraries' warnings included, to standard error in one shape."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks show code and lines, never the values of variables.
    if style is LogStyle.JSON:
        renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
        shared.append(structlog.processors.format_exc_info)
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
