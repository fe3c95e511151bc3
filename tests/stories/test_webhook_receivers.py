"""The receivers that are shown to partners take what is genuine, once, and nothing else."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from domain.webhooks import signing
from tests.servers.node import find_node
from tests.servers.process import kill_tree, spawn

CLIENTS = Path(__file__).parents[2] / "examples" / "clients"
BODY = '{"type":"task.completed","data":{"title":"Rückruf 电话"}}'.encode()


@pytest.fixture(params=["receive_webhooks.py", "receive_webhooks.mjs"])
def told(request: pytest.FixtureRequest) -> Iterator[tuple[str, str, "subprocess.Popen[bytes]"]]:
    """The URL and secret of a receiver that runs, and its process."""
    secret = signing.make_secret()
    program = sys.executable if request.param.endswith(".py") else str(find_node().program)
    process = spawn(
        [program, str(CLIENTS / request.param), "0"],
        cwd=CLIENTS,
        env={**os.environ, "WEBHOOK_SECRET": secret, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().decode().removeprefix("listening on ").strip()
        yield f"http://127.0.0.1:{port}/", secret, process
    finally:
        kill_tree(process)


def test_a_receiver_takes_what_is_genuine_once_and_nothing_else(
    told: tuple[str, str, "subprocess.Popen[bytes]"],
) -> None:
    url, secret, process = told
    now = int(time.time())
    good = signing.headers([secret], "msg_1", now, BODY)
    other = signing.headers([signing.make_secret()], "msg_2", now, BODY)
    refused = {
        "another secret": (other, BODY),
        "another body": (good, BODY.replace(b"completed", b"cancelled")),
        "another id": (good | {"webhook-id": "msg_9"}, BODY),
        "an old message": (signing.headers([secret], "msg_3", now - 400, BODY), BODY),
        "a message of tomorrow": (signing.headers([secret], "msg_4", now + 400, BODY), BODY),
        "no signature": ({**good, "webhook-signature": ""}, BODY),
        "another version": (
            good | {"webhook-signature": good["webhook-signature"].replace("v1", "v2")},
            BODY,
        ),
        "no number": (good | {"webhook-timestamp": "soon"}, BODY),
    }
    for wrong, (headers, body) in refused.items():
        assert httpx2.post(url, headers=headers, content=body).status_code == 401, wrong
    rotating = signing.headers([signing.make_secret(), secret], "msg_5", now, BODY)
    for headers in (good, good, rotating):
        assert httpx2.post(url, headers=headers, content=BODY).status_code == 204
    assert process.stdout is not None
    lines = [process.stdout.readline().decode() for _ in range(2)]
    assert [line.partition(" ")[0] for line in lines] == ["task.completed"] * 2, "once each, not thrice"
    process.terminate()
    assert process.stdout.read() == b""
