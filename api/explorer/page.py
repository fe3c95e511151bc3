"""The pages for a browser, and the files of GraphiQL, which come from here and from nobody else.

`built` is made by `make explorer` from `source`, and is checked in so that nothing is fetched by whoever
runs Careline.
"""

import hashlib
from functools import cache
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from domain.language import Label, Language

BUILT = Path(__file__).parent / "built"
ASSETS = "/graphql/assets"
TYPES = {".js": "text/javascript", ".css": "text/css", ".txt": "text/plain"}
SCRIPT, STYLE, LICENCES = "explorer.js", "explorer.css", "LICENCES.txt"
A_YEAR = "public, max-age=31536000, immutable"

_CLOSED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept",  # the same address answers GraphQL
}
_ELSEWHERE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
# Styles within: menus and dialogues write the style of what they cover. No script but ours runs either way.
_EXPLORES = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"connect-src 'self'; {_ELSEWHERE}"
)
_READS = f"default-src 'none'; style-src 'unsafe-inline'; {_ELSEWHERE}"

TAGS = {Language.ZH_CN: "zh-CN", Language.EN: "en"}
TITLE = Label("Careline GraphQL", "Careline GraphQL 接口")
NOSCRIPT = Label("This page needs JavaScript.", "此页面需要 JavaScript。")
TEXT = Label(
    "This address answers GraphQL. It takes POST with Content-Type: application/json and "
    "Authorization: Bearer <API key or token>; subscriptions come over WebSocket or as server-sent events.",
    "此地址提供 GraphQL 服务。请使用 POST，并附带 Content-Type: application/json 与 "
    "Authorization: Bearer <API 密钥或令牌>；订阅可通过 WebSocket 或服务器推送事件（SSE）接收。",
)
WHERE = Label(
    "The documentation comes with Careline: schema.graphql is the contract with every field described, "
    "docs/clients.md shows how to ask, page, change and follow, and docs/webhooks.md is for receivers.",
    "文档随 Careline 一同提供：schema.graphql 是完整的接口约定，逐一说明每个字段；docs/clients.md "
    "介绍如何查询、翻页、变更与订阅；docs/webhooks.md 供 Webhook 接收方阅读。",
)


@cache
def named(name: str) -> str:
    """A file's name with a digest of its content in it, so that it may be kept for ever."""
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256((BUILT / name).read_bytes()).hexdigest()[:12]}.{ending}"


def explorer() -> Response:
    """GraphiQL, whose files and requests are of the page's own origin."""
    # Relative, so that it also stands behind a proxy that serves Careline under a path.
    script, style, licences = (f"graphql/assets/{named(name)}" for name in (SCRIPT, STYLE, LICENCES))
    head = (  # no icon: the browser need not look for one
        '<link rel="icon" href="data:,">'
        f'<link rel="stylesheet" href="{style}"><link rel="license" href="{licences}">'
        f'<script src="{script}" defer></script>'
    )
    noscript = "".join(f'<p lang="{TAGS[each]}">{NOSCRIPT(each)}</p>' for each in TAGS)
    body = f'<div id="explorer" style="height: 100vh"></div><noscript>{noscript}</noscript>'
    return _page(head, body, _EXPLORES)


def documentation() -> Response:
    """For a browser where there is no GraphiQL: what this address takes, and where that is written down."""
    head = (
        "<style>section { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto }</style>"
    )
    body = "".join(
        f'<section lang="{TAGS[each]}"><h1>{TITLE(each)}</h1>'
        f"<p>{escape(TEXT(each))}</p><p>{escape(WHERE(each))}</p></section>"
        for each in TAGS
    )
    return _page(head, body, _READS)


def _page(head: str, body: str, policy: str) -> Response:
    title = TITLE(Language.EN)
    return HTMLResponse(
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{head}\n</head>\n'
        f'<body style="margin: 0">\n{body}\n</body>\n</html>\n',
        headers={**_CLOSED, "Content-Security-Policy": policy},
    )


def routes() -> list[Route]:
    """The files that the explorer's page names."""
    known = {named(name): name for name in (SCRIPT, STYLE, LICENCES)}

    async def asset(request: Request) -> Response:
        name = known.get(request.path_params["name"])
        if name is None:
            return Response("no such file\n", 404, media_type="text/plain")
        path = BUILT / name
        headers = {"Cache-Control": A_YEAR, "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type=TYPES[path.suffix], headers=headers)

    return [Route(f"{ASSETS}/{{name}}", asset, methods=["GET"])]
