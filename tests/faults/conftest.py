"""A town for the named faults of a module: real processes with a short lease, mended between tests."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.load import Client, Log
from tests.faults.town import Town, distributed

QUICK = {"test_f11_once.py"}
"""Named faults that take seconds: `make test` has these and the short runs."""
# The others take minutes in all: `make faults-named` has them.
collect_ignore = (
    []
    if os.environ.get("CARELINE_FAULTS_NAMED")
    else sorted({file.name for file in Path(__file__).parent.glob("test_f[0-9]*.py")} - QUICK)
)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with distributed(tmp_path_factory.mktemp("town"), lease=2, serves=1) as town:
        yield town


@pytest.fixture
def town(standing: Town) -> Iterator[Town]:
    """Whatever a test broke is whole again for the next."""
    yield standing
    for proxy in (standing.to_postgres, standing.to_valkey, *(place.front for place in standing.serves)):
        assert proxy is not None
        proxy.heal()
    assert standing.postgres is not None
    assert standing.valkey is not None
    standing.postgres.start()
    standing.valkey.start()
    for place in standing.places:
        place.turn_clock(0)
        place.now.thaw()
        with contextlib.suppress(ProcessLookupError):
            assert place.now.ended is None or place.now.kill9() is None
    standing.revive()


@pytest.fixture
async def client(town: Town) -> Client:
    """A caller who asks until there is an answer."""
    return Client("T", town, Log())
