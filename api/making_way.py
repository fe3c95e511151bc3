"""An embedded database has one process; it makes way for `careline migrate`, and answers questions meanwhile.

Two locks, which the kernel takes from whoever dies: `….lock` says who has the database, alone or, while it
is migrated, two together; `….migrating` asks the one that has it to make way.
"""

import asyncio
import contextlib
import fcntl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO

import structlog

from api.listening import CannotStart
from domain.db import embedded
from domain.db.readonly import read_only

LOOK_SECONDS = 0.2
WAIT_SECONDS = 15.0
"""How long a migration waits for the server to end the changes it has begun."""
log = structlog.get_logger(__name__)


def taken(lock: IO[str], how: int) -> bool:
    """Take a lock, alone (`LOCK_EX`) or with others (`LOCK_SH`), if it can be had at once."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _asking(database: Path) -> Path:
    return database.with_name(f"{database.name}.migrating")


@contextlib.contextmanager
def beside(database: Path, lock: IO[str]) -> Iterator[None]:
    """Have the database together with the server that has it, once that takes no more changes.

    Raises:
        CannotStart: it does not make way: it is of a version that cannot, or somebody else migrates.
    """
    path = _asking(database)
    embedded.make_private(path)
    with path.open("a+") as asking:
        until = time.monotonic() + WAIT_SECONDS
        for wanted, how in ((asking, fcntl.LOCK_EX), (lock, fcntl.LOCK_SH)):
            while not taken(wanted, how):
                if time.monotonic() > until:
                    raise CannotStart(f"the process that has {database} does not make way: stop it first")
                time.sleep(LOOK_SECONDS / 4)
        yield


@contextlib.asynccontextmanager
async def making_way(database: Path, lock: IO[str]) -> AsyncIterator[None]:
    """Look, for the time of the block, whether somebody asks to migrate, and be read-only while they do."""
    watching = asyncio.create_task(_watch(_asking(database), lock), name="making way")
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(path: Path, lock: IO[str]) -> None:
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if not _asked(path):
            continue
        async with read_only():
            log.info("read_only", means="another process migrates the database")
            fcntl.flock(lock, fcntl.LOCK_SH)
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if not _asked(path) and taken(lock, fcntl.LOCK_EX):
                    break
        log.info("read_write")


def _asked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open("a+") as asking:
        return not taken(asking, fcntl.LOCK_SH)
