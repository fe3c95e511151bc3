"""What the event loop says of a connection that has ended."""

_UVLOOP = "the handler is closed"


def ended(error: BaseException) -> bool:
    """Whether something was written to a connection that was no longer there.

    asyncio drops what is written then, and its reader hears of the end by a `ConnectionError`. uvloop
    raises RuntimeError at the write itself, and has no kind of its own for it.
    """
    return isinstance(error, ConnectionError) or (isinstance(error, RuntimeError) and _UVLOOP in str(error))
