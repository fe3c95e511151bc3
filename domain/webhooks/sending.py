"""Sends one message: to the address that was checked, within bounds, and following nobody elsewhere."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpcore2

from domain.webhooks.addresses import AddressRefused, NameUnknown, Outbound
from domain.webhooks.models import AttemptError
from domain.webhooks.timing import asked_wait

SECONDS = 5.0
LARGEST_ANSWER = 2**20
ANSWER_KEPT = 500
GONE = 410
NOT_NOW = (429, 503)
"""With these a receiver may say when it wants to be asked again."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt went."""

    duration_ms: int
    status: int | None = None
    error: AttemptError | None = None
    answer: str = ""
    wait: timedelta | None = None
    """How long the receiver asks not to be told anything, if it does."""

    @property
    def arrived(self) -> bool:
        return self.error is None


class _TooLarge(Exception):
    pass


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to addresses only, each of which was looked up and checked for this connection."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        address = await self._outbound.address_of(host.strip("[]"), port)
        return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise AddressRefused


async def post(url: str, headers: Mapping[str, str], body: bytes, outbound: Outbound) -> Outcome:
    """Send a body; never raises for what the other side does."""
    began = time.monotonic()

    def spent() -> int:
        return int((time.monotonic() - began) * 1000)

    head = bytearray()
    status: int | None = None
    wait: timedelta | None = None
    try:
        async with asyncio.timeout(SECONDS):
            pool = httpcore2.AsyncConnectionPool(network_backend=_Checked(outbound), max_connections=1)
            async with (
                pool,
                pool.stream("POST", url, headers=_headers(url, headers), content=body) as answer,
            ):
                status = answer.status
                wait = _wait(status, answer.headers)
                size = 0
                async for part in answer.aiter_stream():
                    size += len(part)
                    head += part[: ANSWER_KEPT * 4 - len(head)]
                    if size > LARGEST_ANSWER:
                        raise _TooLarge
        error = _error_of(status)
    except (TimeoutError, httpcore2.TimeoutException):
        error = AttemptError.TIMEOUT
    except AddressRefused:
        error = AttemptError.ADDRESS
    except NameUnknown:
        error = AttemptError.NAME
    except _TooLarge:
        error = AttemptError.TOO_LARGE
    except (httpcore2.NetworkError, OSError):
        error = AttemptError.CONNECTION
    except (httpcore2.ProtocolError, httpcore2.UnsupportedProtocol, ValueError):
        error = AttemptError.PROTOCOL
    return Outcome(spent(), status, error, _shown(bytes(head)), wait)


def _headers(url: str, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    host = url.partition("://")[2].partition("/")[0].partition("?")[0]
    return [("Host", host), *headers.items()]


def _wait(status: int, headers: Iterable[tuple[bytes, bytes]]) -> timedelta | None:
    if status not in NOT_NOW:
        return None
    said = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return asked_wait(said.decode("latin-1"))


def _error_of(status: int) -> AttemptError | None:
    if 200 <= status < 300:
        return None
    return AttemptError.REDIRECT if 300 <= status < 400 else AttemptError.STATUS


def _shown(head: bytes) -> str:
    """The beginning of an answer as a text that can be stored."""
    text = head.decode(errors="replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)[:ANSWER_KEPT]
