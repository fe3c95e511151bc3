"""F11: a COMMIT whose answer is lost; quick enough to be among the tests always."""

import time

import httpx2
import pytest

from tests.faults.asking import orders, send
from tests.faults.town import Town

pytestmark = pytest.mark.timeout(300)


def test_f11_a_commit_whose_answer_is_lost_is_found_again_by_its_key(town: Town) -> None:
    assert town.to_postgres is not None
    first = send(town, "f11-before").json()["data"]["orderRecord"]["order"]["id"]
    front = town.serves[0].front
    assert front is not None
    front.losing_replies = True
    with pytest.raises(httpx2.TransportError):
        send(town, "f11", 2)
    town.until("SELECT count(*) FROM orders WHERE external_id = 'f11'", lambda rows: rows[0][0] == 1)
    front.heal()
    again = send(town, "f11").json()["data"]["orderRecord"]["order"]["id"]
    assert again not in (None, first)
    assert send(town, "f11").json()["data"]["orderRecord"]["order"]["id"] == again
    assert orders(town, "f11") == ["f11-before", "f11"]


def test_f11_a_database_that_loses_its_replies_does_nothing_twice(town: Town) -> None:
    assert town.to_postgres is not None
    town.to_postgres.losing_replies = True
    try:
        send(town, "f11-lost", 3)
    except httpx2.TransportError:
        pass
    assert town.to_postgres.lost_bytes
    town.to_postgres.heal()
    end = time.monotonic() + 20
    while "data" not in (answer := send(town, "f11-lost").json()) or answer.get("errors"):
        assert time.monotonic() < end, answer
        time.sleep(0.1)
    assert orders(town, "f11-lost") == ["f11-lost"]
