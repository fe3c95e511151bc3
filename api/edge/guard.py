"""The first thing a GraphQL request meets: method, encoding, size and pace, before anything reads it."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.edge.answers import refusal
from api.limits import limited

ALLOWED = ("GET", "POST")


class Guard:
    """Lets only small, prompt, plain GET and POST requests through to one path.

    The body is read here, within `body_seconds` and `max_bytes`, and handed on whole. Other paths
    pass untouched, so uploads elsewhere can stream; so do WebSockets.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str = "/graphql",
        max_bytes: int = 1_000_000,
        body_seconds: float = 10,
        max_query_bytes: int = 16_384,
    ) -> None:
        self.app = app
        self.path = path
        self.max_bytes = max_bytes
        self.body_seconds = body_seconds
        self.max_query_bytes = max_query_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != self.path.rstrip("/"):
            await self.app(scope, receive, send)
            return
        if (refused := self._refused_by_its_head(scope)) is not None:
            await refused(scope, receive, send)
            return
        if scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.body_seconds):
                body = await self._read(receive)
        except TimeoutError:
            most = self.body_seconds
            late = limited("The seconds of the body", "bodySeconds", most, most)
            await refusal(408, late, {"Connection": "close"})(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > self.max_bytes:
            await self._too_large(len(body))(scope, receive, send)
            return
        await self.app(scope, _replay(bytes(body), receive), send)

    def _refused_by_its_head(self, scope: Scope) -> ASGIApp | None:
        if scope["method"] not in ALLOWED:
            return refusal(405, "GraphQL takes GET and POST.", {"Allow": ", ".join(ALLOWED)})
        if len(scope["query_string"]) > self.max_query_bytes:
            measured = len(scope["query_string"])
            return refusal(
                414, limited("The bytes of the address's query", "queryBytes", self.max_query_bytes, measured)
            )
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
            return refusal(415, "Encoded bodies are not taken.", {"Accept-Encoding": "identity"})
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return refusal(400, "The content length is not a number.")
        if (said := min(int(length[:19]), 10**18)) > self.max_bytes:
            return self._too_large(said)
        return None

    async def _read(self, receive: Receive) -> bytearray | None:
        """The body, or as much of it as shows that it is too large; None if the client went away."""
        body = bytearray()
        more = True
        while more and len(body) <= self.max_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body

    def _too_large(self, measured: int) -> ASGIApp:
        refused = limited("The bytes of the body", "bodyBytes", self.max_bytes, measured)
        return refusal(413, refused, {"Connection": "close"})


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the whole body once and then what the server still has to say."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
