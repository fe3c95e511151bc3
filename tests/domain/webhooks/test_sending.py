"""One message is sent within bounds, follows nobody, and never raises for what the other side does."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from domain.webhooks import sending
from domain.webhooks.addresses import Outbound
from domain.webhooks.models import AttemptError
from domain.webhooks.sending import Outcome, post
from tests.receiver import receiving

HERE = Outbound(allowed=frozenset({"127.0.0.1"}))
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def talking(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that says what `talk` says; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def sent(port: int, scheme: str = "http") -> Outcome:
    return await post(f"{scheme}://127.0.0.1:{port}/", {"X": "y"}, b"{}", HERE)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (299, None),
        (301, AttemptError.REDIRECT),
        (302, AttemptError.REDIRECT),
        (307, AttemptError.REDIRECT),
        (308, AttemptError.REDIRECT),
        (400, AttemptError.STATUS),
        (410, AttemptError.STATUS),
        (500, AttemptError.STATUS),
    ],
)
async def test_only_a_status_of_success_counts_and_a_redirect_is_not_followed(
    status: int, error: AttemptError | None
) -> None:
    async with receiving(answer=lambda _: (status, b"" if status == 204 else b"said")) as receiver:
        outcome = await sent(receiver.port)
        assert (outcome.status, outcome.error) == (status, error)
        assert receiver.knocks == 1


@pytest.mark.parametrize(
    ("status", "said", "wait"),
    [
        (429, "90", 90),
        (503, "90", 90),
        (500, "90", None),
        (200, "90", None),
        (429, "soon", None),
        (503, "", None),
    ],
)
async def test_a_receiver_that_cannot_just_now_may_say_until_when(
    status: int, said: str, wait: int | None
) -> None:
    async with receiving(answer=lambda _: (status, b""), retry_after=said) as receiver:
        outcome = await sent(receiver.port)
    assert outcome.wait == (None if wait is None else datetime.timedelta(seconds=wait))


async def test_an_answer_of_a_gigabyte_is_left_off_after_a_megabyte() -> None:
    written = 0

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        for _number in range(1024):
            writer.write(b"x" * 2**20)
            await writer.drain()
            written += 2**20

    async with talking(talk) as port:
        outcome = await sent(port)
    assert (outcome.status, outcome.error) == (200, AttemptError.TOO_LARGE)
    assert outcome.answer == "x" * 500
    assert written < 64 * 2**20


async def test_a_slow_answer_is_waited_for_so_long_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sending.SECONDS == 5
    monkeypatch.setattr(sending, "SECONDS", 0.3)

    async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    for talk in (dripping, silent):
        async with talking(talk) as port:
            began = time.monotonic()
            outcome = await sent(port)
            assert outcome.error is AttemptError.TIMEOUT
            assert time.monotonic() - began < 5


async def test_what_is_no_http_or_nobody_is_an_outcome_too() -> None:
    async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01\x02 SSH-2.0 nonsense\r\n\r\n")
        await writer.drain()

    async def short(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        await writer.drain()

    async def headers_without_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for _number in range(5_000):
            writer.write(b"X: " + b"y" * 1000 + b"\r\n")
            await writer.drain()

    for talk in (nonsense, short, headers_without_end):
        async with talking(talk) as port:
            assert (await sent(port)).error is AttemptError.PROTOCOL, talk.__name__
    async with talking(nonsense) as port:
        pass
    assert (await sent(port)).error is AttemptError.CONNECTION
    unknown = Outbound(allowed=frozenset({"nobody.invalid"}))
    assert (await post("http://nobody.invalid/", {}, b"", unknown)).error is AttemptError.NAME


async def test_what_is_kept_of_an_answer_can_be_stored() -> None:
    async with receiving(answer=lambda _: (500, b"a\x00b\xff\x1b[31m" + "é".encode() * 900)) as receiver:
        outcome = await sent(receiver.port)
    assert len(outcome.answer) == 500
    assert not set(outcome.answer) & {"\x00", "\x1b"}


async def test_a_certificate_that_is_not_the_name_s_is_no_connection(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "receiver.test")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, SHA256())
    )
    path = tmp_path / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    heard = []

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(1)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with talking(talk, context) as port:
        assert (await sent(port, "https")).error is AttemptError.CONNECTION
    assert heard == [], "nothing was said to whoever could not show who they are"
