"""A span for each request of the API: method, route, status and number, and nothing that a caller wrote."""

from contextlib import ExitStack

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain import tracing

METHODS = {"GET", "POST", "OPTIONS", "HEAD"}
ROUTES = ("/graphql", "/files")


class Traced:
    """Goes on with the trace of a `traceparent` header. Health and figures are not worth a span."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = _route(scope["path"]) if scope["type"] == "http" else None
        if route is None or not tracing.on():
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        number = structlog.contextvars.get_contextvars().get("request", "")
        noted = {"http.request.method": method, "http.route": route, "careline.request": number}
        with ExitStack() as stack:
            span = stack.enter_context(
                tracing.span(
                    f"{method} {route}",
                    noted,
                    kind="SERVER",
                    traceparent=Headers(scope=scope).get("traceparent"),
                )
            )

            async def telling(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note({"http.response.status_code": message["status"]})
                    if message["status"] >= 500:
                        span.failed(str(message["status"]))
                    kind = Headers(raw=message["headers"]).get("content-type", "")
                    if kind.startswith("text/event-stream"):
                        stack.close()  # a stream may last for days
                await send(message)

            await self.app(scope, receive, telling)


def _route(path: str) -> str | None:
    for route in ROUTES:
        if path == route:
            return route
        if path.startswith(f"{route}/"):
            return f"{route}/{{id}}"
    return None
