"""`careline runs`: the queues and the machine work of a workspace, as somebody at a terminal sees them."""

import io

import httpx2
import pytest
from rich.console import Console

from api.board import lasting, show_runs
from api.client import Client, Failed
from domain import runs, timekeeping
from domain.runs import Run
from tests.stories.stage import Stage


async def shown(stage: Stage, states: list[str] | None = None, kinds: list[str] | None = None) -> str:
    transport = stage.client._transport
    assert isinstance(transport, httpx2.AsyncBaseTransport)
    client = Client("http://careline.test", stage.owner.key, transport)
    console = Console(file=io.StringIO(), width=220, color_system=None)
    await show_runs(client, watch=False, states=states or [], kinds=kinds or [], console=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def test_the_board_shows_queues_and_runs_with_progress_eta_and_worker(stage: Stage) -> None:
    done = await stage.owner.do(
        "mutation { kpiSnapshot { __typename ... on KpiSnapshotPayload { run { id } } } }"
    )
    await stage.owner.finish(done["run"]["id"])
    assert await runs.pause(stage.house.admin, queue="recompute")
    waiting = await runs.enqueue(stage.house.admin, "segmentation_recompute")
    running = await runs.enqueue(stage.house.admin, "cadence_plan")
    await Run.filter(id=running.id).update(
        state=runs.RunState.RUNNING,
        worker="here:7:abc",
        attempt=2,
        started_at=timekeeping.machine_now(),
        lease_until=timekeeping.machine_now().replace(year=2099),
        progress_done=50,
        progress_total=200,
        progress_unit="customers",
    )
    board = await shown(stage)
    lines = {
        part: next(line for line in board.splitlines() if part in line)
        for part in ("kpi_snapshot", "segmentation_recompute", "cadence_plan", "paused")
    }
    assert "SUCCEEDED" in lines["kpi_snapshot"]
    assert "QUEUED" in lines["segmentation_recompute"]
    for part in ("RUNNING", "50/200 customers", "here:7:abc", "━", " 2 "):
        assert part in lines["cadence_plan"], part
    assert [cell.strip() for cell in lines["paused"].strip("│").split("│")][:3] == ["recompute", "1", "1"]
    assert waiting.id != running.id


async def test_the_board_can_be_narrowed_to_states_and_kinds(stage: Stage) -> None:
    assert await runs.pause(stage.house.admin, queue="recompute")
    await runs.enqueue(stage.house.admin, "segmentation_recompute")
    await runs.enqueue(stage.house.admin, "cadence_plan")
    assert "cadence_plan" not in await shown(stage, kinds=["segmentation_recompute"])
    assert "segmentation_recompute" in await shown(stage, states=["QUEUED"])
    assert "segmentation_recompute" not in await shown(stage, states=["FAILED", "RUNNING"])


async def test_the_board_of_a_server_that_does_not_know_the_key_is_a_plain_no(stage: Stage) -> None:
    stage.owner.key = "wrong"
    with pytest.raises(Failed, match="does not take this API key"):
        await shown(stage)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (90_000, "1d01h"),
    ],
)
def test_a_duration_is_said_in_its_largest_units(seconds: float, said: str) -> None:
    assert lasting(seconds) == said
