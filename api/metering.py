"""Counts what is asked and how it is answered, times it, and traces it where somebody wants that."""

import contextlib
import time
from collections.abc import Iterable, Iterator

import structlog
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError

from api.errors import Code
from domain import tracing
from domain.access import Principal
from domain.figures import ERRORS, OPERATION_SECONDS

MOST_OF_A_NAME = 64


class Metered(SchemaExtension):
    """Times queries and mutations; a subscription has no end of its own. List it first."""

    def on_operation(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            if tracing.on():
                with tracing.span("operation", quiet=lambda: self._type() == "subscription") as span:
                    try:
                        yield
                    finally:
                        self._tell(span)
            else:
                yield
        finally:
            type_ = self._type()
            if type_ not in (None, "subscription"):
                OPERATION_SECONDS.labels(type_).observe(time.perf_counter() - began)

    def _type(self) -> str | None:
        """What cannot be read is no operation: only its error is counted."""
        with contextlib.suppress(CannotGetOperationTypeError, RuntimeError):
            return self.execution_context.operation_type.value
        return None

    def _tell(self, span: tracing.Span) -> None:
        asked = self.execution_context
        type_ = self._type() or "unreadable"
        name = asked.operation_name if type_ != "unreadable" else None
        _name(span, type_, name, getattr(asked.context, "principal", None))
        if codes := sorted({_code(error) for error in getattr(asked.result, "errors", None) or []}):
            span.note({"careline.errors": codes})
            span.failed(codes[0])


@contextlib.contextmanager
def traced(type_: str, name: str | None, principal: Principal | None) -> Iterator[None]:
    """The span of an operation that does not go through the extensions."""
    if not tracing.on():
        yield
        return
    failed = False
    with tracing.span("operation", kept=lambda: not failed) as span:
        _name(span, type_, name, principal)
        try:
            yield
        except Exception:  # it will be answered another way, which has its own span
            failed = True
            raise


def _name(span: tracing.Span, type_: str, name: str | None, principal: Principal | None) -> None:
    name = (name or "")[:MOST_OF_A_NAME]
    span.rename(f"{type_} {name}".rstrip())
    number = structlog.contextvars.get_contextvars().get("request", "")
    noted = {"graphql.operation.type": type_, "graphql.operation.name": name, "careline.request": number}
    span.note(noted | ({"careline.workspace": principal.workspace_id} if principal else {}))


def _code(error: GraphQLError) -> str:
    code = str((error.extensions or {}).get("code"))
    return code if code in Code.__members__ else "OTHER"


def count_errors(errors: Iterable[GraphQLError]) -> None:
    """Count errors that leave for a client, by their codes."""
    for error in errors:
        ERRORS.labels(_code(error)).inc()
