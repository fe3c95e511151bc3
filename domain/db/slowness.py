"""Watches statements: the slow are counted and logged, all are told to a trace; never their parameters."""

import contextlib
import re
import time
from collections.abc import Iterator

import structlog

from domain import tracing
from domain.figures import SLOW_STATEMENTS

SLOW_SECONDS = 1.0
SHOWN = 400
TRACED = 4000
_LITERAL = re.compile(r"'(?:[^']|'')*'")
log = structlog.get_logger(__name__)


@contextlib.contextmanager
def timed(statement: str, system: str) -> Iterator[None]:
    """Watch one statement; its time includes its wait for a connection and for locks."""
    began = time.perf_counter()
    try:
        if tracing.on():
            with tracing.statement(lambda: shown(statement, TRACED), system):
                yield
        else:
            yield
    finally:
        seconds = time.perf_counter() - began
        if seconds > SLOW_SECONDS:
            SLOW_STATEMENTS.inc()
            log.warning("statement_slow", seconds=round(seconds, 3), statement=shown(statement))


def shown(statement: str, most: int = SHOWN) -> str:
    """A statement's beginning on one line, with nothing in it that may be anybody's data."""
    # Values are parameters. A literal is our own, but nobody has to rely on that here.
    return " ".join(_LITERAL.sub("'…'", statement).split())[:most]
