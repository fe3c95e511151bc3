"""A WebSocket client of bare bytes: it reads when it is told to, which may be never."""

import base64
import json
import os
import socket
import struct
from typing import Any

from tests.faults.town import Town

SMALL = 4096


class Wire:
    """One connection to a server itself, past its proxy, which would read for it."""

    def __init__(self, town: Town, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self._socket.settimeout(20)
        self._socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n".encode()
        )
        assert b" 101 " in self._until(b"\r\n\r\n")
        self.send(type="connection_init", payload={"Authorization": f"Bearer {town.key}"})
        assert b"connection_ack" in self._until(b"}")

    def _until(self, end: bytes) -> bytes:
        read = b""
        while not read.endswith(end):
            piece = self._socket.recv(1)
            assert piece, read
            read += piece
        return read

    def send(self, **message: Any) -> None:
        """One text frame; its mask is of zeros."""
        text = json.dumps(message).encode()
        length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
        self._socket.sendall(b"\x81" + length + b"\0\0\0\0" + text)

    def subscribe(self, identity: str, query: str) -> None:
        self.send(id=identity, type="subscribe", payload={"query": query})

    def complete(self, identity: str) -> None:
        self.send(id=identity, type="complete")

    def close(self) -> None:
        """Go without a word."""
        self._socket.close()
