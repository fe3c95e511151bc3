"""Structured logs: events and ids, never personal data."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from domain.settings import LogStyle, Profile


def _place(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where an exception and those behind it arose, and of which types they are."""
    given = event.pop("exc_info", None)
    if isinstance(given, tuple):  # as a library's record has it
        given = given[1]
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    lines: list[str] = []
    while error is not None:
        name = f"{type(error).__module__}.{type(error).__qualname__}"
        lines = [*traceback.format_tb(error.__traceback__), f"{name}\n", *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if lines:
        event["exception"] = "".join(lines)
    return event


def _outline(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's message as it stands in its code, without the values put into it: they may be anybody's."""
    if event.pop("positional_args", None):
        event["event"] = str(event["_record"].msg)
    return event


def configure(style: LogStyle, profile: Profile = Profile.PRODUCTION) -> None:
    """Send everything, the libraries' warnings included, to standard error in one shape."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if style is LogStyle.JSON
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = logging.StreamHandler(sys.stderr)
    # Tracebacks show code and lines, never the values of variables; in production, where the data are
    # real people's, nor what an exception says, in whichever style: a database's errors quote the row.
    if style is LogStyle.TEXT and profile is Profile.DEVELOPMENT:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    else:
        shared.append(_place)
        of_libraries = [structlog.stdlib.add_logger_name, *shared, _outline]
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                foreign_pre_chain=of_libraries,
                pass_foreign_args=True,
            )
        )
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    # What a resolver raises is logged once, with its incident, by the mask.
    logging.getLogger("strawberry.execution").setLevel(logging.CRITICAL)
