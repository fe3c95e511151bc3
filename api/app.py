"""The web application: GraphQL, files and health behind one set of rules."""

from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api import files, health
from api.context import Context
from api.edge import (
    HEADER,
    RATE_HEADERS,
    BadDocuments,
    Guard,
    Numbered,
    Traced,
    Turnstile,
    View,
    read_documents,
)
from api.health import Vitals
from api.limits import Buckets, Terms
from api.listening import CannotStart
from api.live import Hub
from api.schema import schema
from domain import db, tracing, webhooks, workspaces
from domain.access import Principal
from domain.settings import Profile, Settings


@dataclass(frozen=True)
class Caller:
    """Who came in, and with what: a long stream checks the credential again."""

    principal: Principal
    authorization: str | None


async def authenticate(authorization: str | None, *, anew: bool = False) -> Caller | None:
    """Who it is. With it, every request and every operation of a socket begins, and so does its time."""
    db.answer_within()
    try:
        return Caller(await workspaces.authenticate(authorization, anew=anew), authorization)
    except workspaces.BadCredential:
        return None


async def _still(authorization: str | None) -> Caller | None:
    """Who it is now, of somebody who listens: what was remembered may be what has just changed."""
    return await authenticate(authorization, anew=True)


def _terms(settings: Settings) -> Terms:
    buckets = None
    if settings.rate_points:
        buckets = Buckets(settings.rate_points, settings.rate_per_second, settings.redis_url)
    return Terms(settings.introspects, settings.operation_seconds, buckets, settings.feed_days)


class Scoped:
    """Each request sees the rows of nobody until it is known who calls, and leaves that behind."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with db.nowhere():
            await self.app(scope, receive, send)


def _issuer(settings: Settings) -> workspaces.Issuer | None:
    """The identity provider whose tokens are taken, where there is one."""
    if not settings.jwt_issuer:
        return None
    return workspaces.Issuer(
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.jwt_algorithms,
        settings.jwt_jwks,
        settings.jwt_workspace_claim or None,
    )


def create(settings: Settings, vitals: Vitals) -> Starlette:
    """The application of one process. The database must be open while it serves.

    Raises:
        CannotStart: the file of trusted documents cannot be read.
    """
    try:
        documents = read_documents(settings.documents, only=settings.documents_only)
    except BadDocuments as error:
        raise CannotStart(str(error)) from error
    schema.engine.tells = settings.debug
    workspaces.trust(_issuer(settings))
    webhooks.sent_by(settings)
    terms = _terms(settings)

    def context(caller: Any, connection: HTTPConnection) -> Context:
        db.enter(caller.principal.workspace_id)
        over_http = connection.scope["type"] == "http"
        return Context(caller.principal, caller.authorization, over_http, terms)

    turnstile = Turnstile(settings.sockets_per_key, settings.sockets_per_workspace)
    view = View(
        schema,
        authenticate=authenticate,
        make_context=context,
        max_subscriptions=settings.streams_per_socket,
        follow=Hub(schema, _still, context, settings.streams_per_workspace).follow,
        admit=lambda caller: turnstile.enter(caller.principal),
        allow_get=settings.profile is Profile.DEVELOPMENT,
        allowed_origins=settings.cors_origins,
        documents=documents,
    )
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "last-event-id"],
        expose_headers=[HEADER, "Retry-After", *RATE_HEADERS],
    )
    return Starlette(
        routes=[
            Route("/graphql", view),  # nearly all requests are for it
            Route("/", _welcome),
            WebSocketRoute("/graphql", view),
            *files.routes(settings),
            *health.routes(vitals),
        ],
        middleware=[
            Middleware(Scoped),
            Middleware(Numbered),
            *([Middleware(Traced)] if tracing.on() else []),
            *([cors] if settings.cors_origins else []),
            Middleware(Guard),
        ],
    )


async def _welcome(_: Request) -> Response:
    text = (
        "Careline. GraphQL: POST /graphql with Authorization: Bearer <key or token>. Schema: schema.graphql\n"
    )
    return Response(text, media_type="text/plain")
