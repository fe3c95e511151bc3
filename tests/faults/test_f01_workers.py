"""F1, F2, F14, F18, F19, F22: workers and the clock's leader killed, frozen, poisoned, hung, and too old."""

import os
import signal
import time

import pytest

from tests.faults.probe import HANG, POISON, asked
from tests.faults.town import Place, Town, frozen

LEASE = 2
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
ENDED = "state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"
DOUBLED = "SELECT run_id, step FROM probe_effects GROUP BY run_id, step HAVING count(*) > 1"


def queued(town: Town, *args: str, kind: str = "probe") -> list[int]:
    return [town.look(asked(town.workspace_id, kind, each))[0][0] for each in args]


def holder(town: Town, run_id: int) -> Place:
    """The worker that has a run which has come a step on."""
    ((worker,),) = town.until(
        f"SELECT worker FROM runs WHERE id = {run_id} AND state = 'RUNNING' AND progress_done > 0", bool
    )
    return next(place for place in town.workers if f":{place.now.pid}:" in worker)


def ended(town: Town, ids: list[int], seconds: float = 60) -> list[tuple[str, int, str]]:
    """How runs ended: state, attempts, error code."""
    which = ", ".join(map(str, ids))
    town.until(
        f"SELECT count(*) FROM runs WHERE id IN ({which}) AND {ENDED}", lambda r: r[0][0] == len(ids), seconds
    )
    rows = town.look(f"SELECT state, attempt, error_code FROM runs WHERE id IN ({which}) ORDER BY id")
    return [(state, attempt, code) for state, attempt, code in rows]


def effects(town: Town, run_id: int) -> list[int]:
    return [s for (s,) in town.look(f"SELECT step FROM probe_effects WHERE run_id = {run_id} ORDER BY step")]


def test_f01_a_worker_killed_in_the_midst_of_a_run(town: Town) -> None:
    (run_id,) = queued(town, '{"steps": 8, "pause": 0.4}')
    holder(town, run_id).now.kill9()
    began = time.monotonic()
    town.until(f"SELECT attempt FROM runs WHERE id = {run_id}", lambda rows: rows[0][0] == 2)
    assert time.monotonic() - began <= LEASE + 5 + 1  # and what the machine makes of it
    assert ended(town, [run_id]) == [("SUCCEEDED", 2, None)]
    assert effects(town, run_id) == list(range(8))


def test_f02_a_worker_frozen_beyond_its_lease_does_nothing_when_it_comes_back(town: Town) -> None:
    (run_id,) = queued(town, '{"steps": 8, "pause": 0.4}')
    place = holder(town, run_id)
    fenced = len(town.logged("run_fenced"))
    place.now.freeze()
    town.until(f"SELECT attempt FROM runs WHERE id = {run_id}", lambda rows: rows[0][0] == 2)
    assert frozen(place.now.pid)
    place.now.thaw()
    assert ended(town, [run_id]) == [("SUCCEEDED", 2, None)]
    assert effects(town, run_id) == list(range(8))
    town.until("SELECT 1", lambda _: len(town.logged("run_fenced")) > fenced)
    assert town.look(DOUBLED) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_f14_another_leads_soon_after_the_leader_is_gone(town: Town, how: signal.Signals) -> None:
    leads = "SELECT holder, term FROM leases WHERE name = 'clock' AND until > now()"
    ((name, term),) = town.until(leads, bool)
    place = next(place for place in town.workers if f":{place.now.pid}:" in name)
    os.killpg(place.now.pid, how)
    began = time.monotonic()
    ((other, _),) = town.until(leads, lambda rows: bool(rows) and rows[0][1] == term + 1)
    assert time.monotonic() - began <= 5 + 1  # its lease is of four seconds
    assert other != name
    (run_id,) = queued(town, '{"steps": 1, "pause": 0}')
    assert ended(town, [run_id])[0][0] == "SUCCEEDED"


def test_f18_a_run_that_kills_its_workers_is_given_up_and_the_others_are_done(town: Town) -> None:
    (poison,) = queued(town, "{}", kind=POISON)
    others: list[int] = []
    end = time.monotonic() + 240  # eight workers die, and each time another one starts
    while not town.look(f"SELECT 1 FROM runs WHERE id = {poison} AND {ENDED}"):
        assert time.monotonic() < end, town.look(f"SELECT state, deaths FROM runs WHERE id = {poison}")
        town.revive()  # as the supervisor does
        others += queued(town, '{"steps": 2, "pause": 0.2}')
        time.sleep(0.3)
    ((state, deaths, code),) = ended(town, [poison])
    assert (state, code) == ("FAILED", "POISONED")
    assert 3 <= deaths <= 9
    assert [event["run"] for event in town.logged("run_poisoned")] == [poison]
    assert {state for state, _, _ in ended(town, others)} == {"SUCCEEDED"}
    ((prompt,),) = town.look(
        f"SELECT count(*) FROM runs WHERE id > {poison} AND finished_at - queued_at < interval '5 seconds'"
    )
    assert prompt >= 0.8 * len(others), (prompt, len(others))
    assert town.look(DOUBLED) == []


def test_f19_a_run_that_waits_for_ever_ends_at_its_limit_and_is_tried_again(town: Town) -> None:
    (run_id,) = queued(town, '{"how": "waits"}', kind=HANG)
    assert ended(town, [run_id]) == [("SUCCEEDED", 2, None)]
    assert town.look(f"SELECT errors->0->>'code' FROM runs WHERE id = {run_id}") == [("DEADLINE",)]


def test_f19_a_run_that_hears_no_cancel_is_let_go(town: Town) -> None:
    (run_id,) = queued(town, '{"how": "deaf"}', kind=HANG)
    assert ended(town, [run_id], 90)[0][:2] == ("SUCCEEDED", 2)


def test_f19_a_run_that_blocks_its_process_ends_it(town: Town) -> None:
    (run_id,) = queued(town, '{"how": "blocks"}', kind=HANG)
    town.until("SELECT 1", lambda _: any(place.now.ended == 70 for place in town.workers), 60)
    town.revive()
    assert ended(town, [run_id], 90)[0][:2] == ("SUCCEEDED", 2)
    assert town.logged("loop_hangs")


def test_f22_a_run_of_a_newer_version_waits_for_a_worker_that_knows_it(town: Town) -> None:
    statement = asked(town.workspace_id).replace("'probe', 'default'", "'of_tomorrow', 'default'", 1)
    ((unknown,),) = town.look(statement)
    (known,) = queued(town, '{"steps": 1, "pause": 0}')
    assert ended(town, [known])[0][0] == "SUCCEEDED"
    assert town.look(f"SELECT state, attempt FROM runs WHERE id = {unknown}") == [("QUEUED", 0)]
    town.look(f"DELETE FROM runs WHERE id = {unknown} RETURNING id")
