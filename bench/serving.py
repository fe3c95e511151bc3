"""A serving process as `careline serve` starts it; with BENCH_KEYS it makes a workspace and says its keys."""

import json
import os

from starlette.applications import Starlette

from api import logs, loop
from api.serving import serve
from bench.live import made_keys
from domain import db, workspaces
from domain.settings import from_environment


async def _keys(_: Starlette) -> None:
    if os.environ.get("BENCH_KEYS"):
        db.enter_everywhere()
        workspace = await workspaces.create("Bench")
        print(json.dumps(await made_keys(workspace.id)), flush=True)


if __name__ == "__main__":
    settings = from_environment()
    logs.configure(settings.log_style)
    loop.run(serve(settings, before=_keys))
