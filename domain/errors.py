"""How the business says no: one base error, one list of codes.

A `DomainError` is data for the caller. It becomes a `Refusal` in the API and is never logged as a failure.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """Why something was refused."""

    NOT_FOUND = "NOT_FOUND"
    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    DUPLICATE = "DUPLICATE"
    CONFLICT = "CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    CLOSED = "CLOSED"
    NOT_READY = "NOT_READY"
    NOT_SANDBOX = "NOT_SANDBOX"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    NO_CONSENT = "NO_CONSENT"
    CHANNEL_REFUSED = "CHANNEL_REFUSED"


@dataclass(frozen=True)
class Problem:
    """One reason for a refusal; `field` is the path of the offending input in the API's spelling."""

    code: ErrorCode
    message: str
    field: tuple[str, ...] = ()


class DomainError(Exception):
    """An expected no. `current` is the object as it is now, where that helps the caller."""

    code = ErrorCode.INVALID

    def __init__(self, message: str, *, field: str = "", current: object | None = None) -> None:
        super().__init__(message)
        self.problems: tuple[Problem, ...] = (
            Problem(self.code, message, tuple(field.split(".")) if field else ()),
        )
        self.current = current

    @classmethod
    def of(cls, problems: list[Problem]) -> "DomainError":
        error = cls("; ".join(problem.message for problem in problems))
        error.problems = tuple(problems)
        return error


class Invalid(DomainError):
    code = ErrorCode.INVALID


class Required(DomainError):
    code = ErrorCode.REQUIRED


class NotFound(DomainError):
    """Unknown here: absent, or another workspace's, or not for this principal. The answer is the same."""

    code = ErrorCode.NOT_FOUND


class Conflict(DomainError):
    """The row has moved on since the caller read it."""

    code = ErrorCode.CONFLICT


class Forbidden(DomainError):
    code = ErrorCode.FORBIDDEN


class Duplicate(DomainError):
    code = ErrorCode.DUPLICATE


class NotReady(DomainError):
    """Something that must stand first does not stand yet."""

    code = ErrorCode.NOT_READY


class Reasons:
    """Everything that is wrong with one input, gathered before it is refused."""

    def __init__(self) -> None:
        self._found: list[DomainError] = []

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """What refuses inside the block is kept, and the checks go on behind it."""
        try:
            yield
        except DomainError as error:
            self._found.append(error)

    def refuse(self) -> None:
        """Refuse if anything was found: a single error as it is, several as one with all their problems."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise DomainError.of([problem for error in self._found for problem in error.problems])
