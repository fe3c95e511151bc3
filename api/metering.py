"""Counts what is asked and how it is answered, and how long that takes."""

import contextlib
import time
from collections.abc import Iterable, Iterator

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError

from api.errors import Code
from domain.figures import ERRORS, OPERATION_SECONDS


class Metered(SchemaExtension):
    """Times queries and mutations; a subscription has no end of its own. List it first."""

    def on_operation(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            # What cannot be read is no operation: only its error is counted.
            with contextlib.suppress(CannotGetOperationTypeError, RuntimeError):
                type_ = self.execution_context.operation_type.value
                if type_ != "subscription":
                    OPERATION_SECONDS.labels(type_).observe(time.perf_counter() - began)


def count_errors(errors: Iterable[GraphQLError]) -> None:
    """Count errors that leave for a client, by their codes."""
    for error in errors:
        code = str((error.extensions or {}).get("code"))
        ERRORS.labels(code if code in Code.__members__ else "OTHER").inc()
