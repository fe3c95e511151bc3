"""POST /files takes an upload in a stream; GET /files/{id} gives a file to whoever may read it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from api.ids import global_id, row_id
from domain import db, files, workspaces
from domain.access import ADMINS, BUILDERS, PLANNERS, Principal
from domain.errors import DomainError
from domain.settings import Settings

UPLOADERS = PLANNERS | BUILDERS | ADMINS
UPLOAD = "upload"
ROW_ERRORS = "row_errors"
IMPORTS = {"consentsImport", "customersImport", "eventsImport", "interactionsImport", "ordersImport"}
SCOPES = {UPLOAD: IMPORTS, ROW_ERRORS: IMPORTS, "report": {"report", "reports"}}
"""By a file's purpose, the operations of which an API key with scopes needs one to touch it."""
log = structlog.get_logger(__name__)
Handler = Callable[[Request, Principal], Awaitable[Response]]


def routes(settings: Settings) -> list[Route]:
    async def upload(request: Request, who: Principal) -> Response:
        if who.role not in UPLOADERS or not _in_scope(who, UPLOAD):
            return _no(403, "uploads are for planners, analysts and admins")
        name = request.query_params.get("name") or "upload"
        media_type = request.headers.get("content-type", "application/octet-stream")
        if media_type.startswith("multipart/"):
            return _no(415, "send the file itself as the body, not a form")
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > settings.upload_limit_bytes:
            return _no(413, f"at most {settings.upload_limit_bytes} bytes")
        try:
            receiving = await files.begin(who, name, media_type, UPLOAD, limit=settings.upload_limit_bytes)
        except DomainError as error:
            return _no(400, str(error))
        try:
            async for part in request.stream():
                db.answer_within()  # anew for each piece: the client may take its time
                await files.append(receiving, part)
            kept = await files.finish(receiving)
        except DomainError as error:
            return _no(413, str(error))
        except ClientDisconnect:
            await files.discard(receiving)
            return _no(400, "the upload broke off")
        return JSONResponse({"fileId": global_id("File", kept.id), "size": kept.size}, 201)

    async def download(request: Request, who: Principal) -> Response:
        try:
            file = await files.get(who, row_id("File", request.path_params["id"]))
        except DomainError:
            return _no(404, "no such file")
        # What was uploaded is as it came, with personal data in the clear.
        barred = file.purpose in (UPLOAD, ROW_ERRORS) and not (who.role in UPLOADERS and who.sees_personal)
        if barred or not _in_scope(who, file.purpose):
            return _no(404, "no such file")
        shown = "inline" if file.media_type.startswith("text/html") else "attachment"
        return StreamingResponse(
            _patiently(files.read(file)),
            media_type=file.media_type,
            headers={
                "Content-Length": str(file.size),
                "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(file.name)}",
                "ETag": f'"{file.sha256}"',
                "Cache-Control": "private, max-age=3600, immutable",
                "X-Content-Type-Options": "nosniff",
                # A report is a page of ours with inline style and drawings; nothing in it may run or load.
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
            },
        )

    return [
        Route("/files", _for_callers(upload), methods=["POST"]),
        Route("/files/{id}", _for_callers(download), methods=["GET"]),
    ]


async def _patiently(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The parts, each with a time of its own, however slowly they are taken."""
    db.answer_within()
    async for part in parts:
        yield part
        db.answer_within()


def _in_scope(who: Principal, purpose: str) -> bool:
    return not who.scopes or bool(who.scopes & SCOPES.get(purpose, set()))


def _for_callers(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def checked(request: Request) -> Response:
        db.answer_within()
        try:
            who = await workspaces.authenticate(request.headers.get("authorization"))
        except workspaces.BadCredential:
            return _no(
                401, "send an API key or a token: Authorization: Bearer <it>", {"WWW-Authenticate": "Bearer"}
            )
        except workspaces.KeysAway:
            return _no(503, "tokens cannot be checked just now; try again in a moment", {"Retry-After": "5"})
        except Exception as error:
            return _away(error)
        db.enter(who.workspace_id)
        try:
            return await handler(request, who)
        except Exception as error:
            return _away(error)

    return checked


def _away(error: Exception) -> Response:
    """The answer where the database is away; any other error goes on its way."""
    failure = db.failure_of(error)
    if failure is None:
        raise error
    log.warning("database_unavailable", failure=failure.value)
    return _no(503, "the database cannot serve this just now; try again in a moment", {"Retry-After": "1"})


def _no(status: int, message: str, headers: dict[str, Any] | None = None) -> Response:
    return JSONResponse({"error": message}, status, headers)
