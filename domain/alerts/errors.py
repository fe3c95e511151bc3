"""How alerts say no."""

from domain.errors import DomainError, ErrorCode


class AlertClosed(DomainError):
    """It was closed, by somebody else or because nothing is the matter any more."""

    code = ErrorCode.CLOSED
