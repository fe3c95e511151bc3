"""How follow-up work says no."""

from domain.errors import DomainError, ErrorCode


class TaskClosed(DomainError):
    """The task is done or cancelled."""

    code = ErrorCode.CLOSED


class OutcomeMissing(DomainError):
    """A task of this kind is completed with an outcome that this one lacks."""

    code = ErrorCode.REQUIRED


class ChannelRefused(DomainError):
    """The customer can be reached by no channel for this."""

    code = ErrorCode.CHANNEL_REFUSED
