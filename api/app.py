"""The web application: GraphQL, files and health behind one set of rules."""

from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from api import files, health
from api.context import Context
from api.edge import HEADER, BadDocuments, Guard, Numbered, View, read_documents
from api.health import Vitals
from api.listening import CannotStart
from api.schema import schema
from domain import db, workspaces
from domain.access import Principal
from domain.settings import Profile, Settings


@dataclass(frozen=True)
class Caller:
    """Who came in, and with what: a long stream checks the credential again."""

    principal: Principal
    authorization: str | None


async def authenticate(authorization: str | None) -> Caller | None:
    try:
        return Caller(await workspaces.authenticate(authorization), authorization)
    except workspaces.BadCredential:
        return None


def _context(caller: Any, connection: HTTPConnection) -> Context:
    if caller:
        db.enter(caller.principal.workspace_id)
    over_http = connection.scope["type"] == "http"
    return Context(caller.principal, caller.authorization, over_http) if caller else Context(None)


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
    view = View(
        schema,
        authenticate=authenticate,
        make_context=_context,
        allow_get=settings.profile is Profile.DEVELOPMENT,
        allowed_origins=settings.cors_origins,
        documents=documents,
    )
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(settings.cors_origins),
        allow_methods=["GET", "POST"],
        allow_headers=["authorization", "content-type", "last-event-id"],
        expose_headers=[HEADER],
    )
    return Starlette(
        routes=[
            Route("/", _welcome),
            Route("/graphql", view),
            WebSocketRoute("/graphql", view),
            *files.routes(settings),
            *health.routes(vitals),
        ],
        middleware=[Middleware(Numbered), *([cors] if settings.cors_origins else []), Middleware(Guard)],
    )


async def _welcome(_: Request) -> Response:
    text = "Careline. GraphQL: POST /graphql with Authorization: Bearer <API key>. Schema: schema.graphql\n"
    return Response(text, media_type="text/plain")
