"""The demonstration as a newcomer meets it: the real data set, whole; started again, the same; stopped, clean."""

import json
import re
import signal
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from api.client import Client
from api.demo.show import show
from tests.stories.conftest import Open
from tests.stories.documents import LEAD_RECORD, RECOMPUTE
from tests.stories.population import Buyer, enter, recompute
from tests.stories.processes import Process, ask, started
from tests.stories.stage import shanghai

WAIT_SECONDS = 120
TOTALS = "{ dashboard { customerCount orderCount orderTotal { amount currency } } strategyMatrix { count } }"

WORK = """{ tasks(first: 50) { totalCount nodes { team { name } assignee { role } } }
  customers(last: 1) { nodes { orders { totalCount }
    timeline(first: 50) { nodes { event subject { id } } } } } }"""


def told(process: Process, folder: Path) -> tuple[str, str]:
    """The URL and key of a demonstration once it serves."""
    process.wait_for("serving", WAIT_SECONDS)
    where = folder / ".data" / "demo.json"
    assert where.stat().st_mode & 0o777 == 0o600
    found = json.loads(where.read_text())
    return found["url"], found["apiKey"]


def finish(url: str, key: str, run_id: str) -> dict[str, str]:
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        run = ask(
            url, key, "query ($id: ID!) { run(id: $id) { state result { name value } } }", {"id": run_id}
        )["run"]
        if run["state"] == "SUCCEEDED":
            return {entry["name"]: entry["value"] for entry in run["result"]}
        assert run["state"] in ("QUEUED", "RUNNING"), run
        time.sleep(0.05)
    raise AssertionError("the run did not end")


@pytest.mark.slow
def test_the_demonstration_holds_the_whole_data_set_and_resumes_on_it(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with started(log, "demo", cwd=str(tmp_path), CARELINE_PORT="0") as first:
        url, key = told(first, tmp_path)
        data = ask(url, key, TOTALS)
        assert data["dashboard"] == {
            "customerCount": 23_570,
            "orderCount": 69_659,
            "orderTotal": {"amount": "2500315.63", "currency": "USD"},
        }
        cells = [cell["count"] for cell in data["strategyMatrix"]]
        assert (len(cells), sum(cells)) == (15, 23_570)
        assert sum(count > 0 for count in cells) >= 8

        work = ask(url, key, WORK)
        assert work["tasks"]["totalCount"] > 1000
        assert {task["team"]["name"] for task in work["tasks"]["nodes"]} == {"Care"}
        assert {task["assignee"]["role"] for task in work["tasks"]["nodes"]} == {"EXECUTOR"}
        (customer,) = work["customers"]["nodes"]
        entries = customer["timeline"]["nodes"]
        assert sum(e["event"] == "order.placed" for e in entries) == customer["orders"]["totalCount"]
        assert all(e["subject"] for e in entries if e["event"] != "contact_decision.made")

        again = ask(url, key, RECOMPUTE)["segmentationRecompute"]
        assert finish(url, key, again["run"]["id"])["changed"] == "0"

        with httpx2.stream(
            "POST",
            f"{url}/graphql",
            json={"query": "subscription { taskChanged { change } }"},
            headers={"Authorization": f"Bearer {key}", "Accept": "text/event-stream"},
            timeout=30,
        ) as stream:
            assert stream.status_code == 200
            assert first.stop(signal.SIGINT) == 0
        assert "Traceback" not in log.read_text()

    log.unlink()
    with started(log, "demo", cwd=str(tmp_path), CARELINE_PORT="0") as second:
        url, kept = told(second, tmp_path)
        assert kept == key
        assert ask(url, key, TOTALS) == data
        assert second.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_demonstration_that_is_stopped_while_it_is_filled_ends_in_good_order(
    tmp_path: Path, how: signal.Signals, code: int
) -> None:
    log = tmp_path / "demo.log"
    with started(log, "demo", cwd=str(tmp_path), CARELINE_PORT="0") as process:
        until = time.monotonic() + WAIT_SECONDS
        while not (tmp_path / ".data" / "demo.key").exists():  # the first thing it makes of its own
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.02)
        assert process.stop(how) == code
        assert process.wait_for("stopped")["before"] == "serving"
    assert [event for event in process.events() if event["event"] == "serving"] == []
    assert "Traceback" not in log.read_text()
    assert not (tmp_path / ".data" / "demo.json").exists()


async def test_what_to_try_leaves_the_first_touch_to_be_escalated(stage_at: Open) -> None:
    now = shanghai("2025-03-03 12:00:00")
    async with stage_at(now) as stage:
        await enter(stage, [Buyer(f"C{n}", n + 1, 3, Decimal(300 + n)) for n in range(20)], now)
        await recompute(stage)
        lead = {"externalId": "L1", "customerExternalId": "C1", "source": "TRADE_FAIR", "consent": True}
        at = now - timedelta(hours=24) + timedelta(seconds=45)
        await stage.owner.do(LEAD_RECORD, input={**lead, "acquiredAt": at.isoformat()})
        done = await stage.owner.do(
            "mutation { visitsPlan { __typename ... on VisitsPlanPayload { run { id } } } }"
        )
        await stage.owner.finish(done["run"]["id"])
        await stage.settle()

        lines = await show(Client("http://careline.test", stage.owner.key, stage.client._transport))
        heads = [line.split()[0] for line in lines if "curl" in line]
        assert heads == ["report", "query", "subscription", "mutation"]
        assert all("Authorization: Bearer {key}" in line for line in lines if "curl" in line)

        found = re.search(r'taskComplete\(id: \\"([^"]+)\\"', lines[-1])
        assert found is not None, lines[-1]
        tasks = await stage.owner.ask(
            "query ($id: ID!) { task(id: $id) { kind state } tasks { nodes { id kind } } }", id=found[1]
        )
        assert tasks["task"] == {"kind": "VISIT", "state": "OPEN"}
        assert {task["kind"] for task in tasks["tasks"]["nodes"]} >= {"FIRST_TOUCH", "VISIT"}
