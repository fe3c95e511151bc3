"""A town for the named faults of a module: real processes with a short lease, mended between tests."""

import contextlib
import os
from collections.abc import Iterator

import pytest

from tests.faults.load import Client, Log
from tests.faults.town import Town, distributed

# Each named fault by itself takes minutes in all: `make faults-named` has them; `make test` the short runs.
collect_ignore_glob = [] if os.environ.get("CARELINE_FAULTS_NAMED") else ["test_f[0-9]*.py"]


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
