"""Where the CPU of a serving process goes, by the parts of a request.

The first SIGUSR1 begins to look, the next one says what was seen in a line and ends it. Looking makes
each part slower than it is, those of many small calls most: these are shares, and no times.
"""

import asyncio
import cProfile
import pstats
import signal
import time
from types import CodeType
from typing import Any

from starlette.applications import Starlette

from api import app
from api.engine.engine import Engine
from api.engine.plan import Plan
from domain.db import asyncpg

LINE = "shares "


def tell_when_asked() -> None:
    """From now on, in the running event loop."""
    profiles: list[cProfile.Profile] = []
    told = 0

    def asked() -> None:
        nonlocal told
        if not profiles:
            profiles.append(cProfile.Profile(time.process_time))
            profiles[0].enable()
            return
        profile = profiles.pop()
        profile.disable()
        told += 1
        print(f"{LINE}{told}: {_shares(pstats.Stats(profile))}", flush=True)

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, asked)


def _shares(stats: Any) -> str:
    whole = stats.total_tt

    def below(code: CodeType) -> float:
        """Of a function with all that it calls."""
        found = stats.stats.get((code.co_filename, code.co_firstlineno, code.co_name))
        return float(found[3]) if found else 0.0

    served = below(Starlette.__call__.__code__)
    caller = below(app.authenticate.__code__)
    answer = below(Engine.answer.__code__)
    run = below(Plan.run.__code__)
    driver = below(asyncpg.Client.raw_rows.__code__)
    parts = {
        "web server": whole - served,
        "edge": served - caller - answer,
        "authentication": caller,
        "around the plan": answer - run,
        "plan": run - driver,
        "driver": driver,
    }
    return ", ".join(f"{name} {part / whole:.0%}" for name, part in parts.items())
