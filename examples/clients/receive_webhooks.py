"""Receives Careline's webhooks with nothing but Python: checks who sent a message, and takes each one once.

WEBHOOK_SECRET=whsec_… python receive_webhooks.py 9000
"""

import base64
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_SECONDS = 300
LARGEST = 2 * 2**20
seen: set[str] = set()
"""Ids of messages that were taken. A real receiver keeps them with what it did, in one transaction."""


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether Careline sent this body, a moment ago. While a secret is replaced there are two signatures."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return any(hmac.compare_digest(expected, given) for given in headers.get("webhook-signature", "").split())


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 once a message is safe; anything else has it sent again, later."""

    timeout = 10

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if length > LARGEST:
            self.answer(413)
            return
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not is_genuine(os.environ["WEBHOOK_SECRET"], headers, body):
            self.answer(401)
            return
        if headers["webhook-id"] not in seen:
            message = json.loads(body)
            print(message["type"], json.dumps(message["data"]), flush=True)
            seen.add(headers["webhook-id"])
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a request line tells nobody anything here."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Receiver)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()
