"""The other side of the comparison: a bare WebSocket endpoint that sends what it is given to all."""

import os
import socket

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api import loop
from api.listening import BACKLOG, web_server

_here: set[WebSocket] = set()


async def _listen(ws: WebSocket) -> None:
    await ws.accept("graphql-transport-ws")
    await ws.receive_text()
    await ws.send_text('{"type":"connection_ack"}')
    await ws.receive_text()
    await ws.send_text('{"type":"pong"}')
    _here.add(ws)
    try:
        while True:
            await ws.receive_text()
    except WebSocketDisconnect:
        _here.discard(ws)


async def _tell(request: Request) -> Response:
    text = (await request.body()).decode()
    for ws in list(_here):
        await ws.send_text(text)
    return PlainTextResponse(str(len(_here)))


if __name__ == "__main__":
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", int(os.environ["BENCH_PORT"])))
        bound.listen(BACKLOG)
        print("serving", flush=True)
        routes = [WebSocketRoute("/graphql", _listen), Route("/tell", _tell, methods=["POST"])]
        loop.run(web_server(Starlette(routes=routes)).serve(sockets=[bound]))
