"""`careline runs cancel|retry|pause|resume`: what somebody at a terminal does with machine work."""

import io

import pytest
from rich.console import Console
from typer.testing import CliRunner

from api import steering
from api.__main__ import cli
from api.client import Client, Failed
from api.ids import global_id
from domain import runs
from domain.access import Role
from domain.journal import JournalLine
from domain.runs import Run, RunState
from tests.stories.stage import Stage


def client(stage: Stage, role: Role = Role.OWNER) -> Client:
    return Client("http://careline.test", stage[role].key, stage.client._transport)


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), soft_wrap=True, markup=False, highlight=False)


def said(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


async def waiting(stage: Stage, kind: str = "cadence_plan", queue: str = "recompute") -> str:
    """A run that nobody starts, since its queue is paused."""
    await runs.pause(stage.house.admin, queue=queue)
    return global_id("Run", (await runs.enqueue(stage.house.admin, kind)).id)


async def states() -> dict[str, RunState]:
    return {run.kind: run.state for run in await Run.all()}


async def test_a_waiting_run_is_cancelled_and_tried_again(stage: Stage, console: Console) -> None:
    run_id = await waiting(stage)
    await steering.cancel(client(stage), [run_id], console)
    assert await states() == {"cadence_plan": RunState.CANCELLED}
    await steering.retry(client(stage), [run_id], [], [], console)
    assert await states() == {"cadence_plan": RunState.QUEUED}
    assert said(console) == [f"{run_id}  cadence_plan  CANCELLED", f"{run_id}  cadence_plan  QUEUED"]
    told = await JournalLine.filter(subject="run").order_by("id").values_list("name", flat=True)
    assert list(told) == ["run.queued", "run.cancelled", "run.queued"]


async def test_what_is_refused_is_named_and_the_others_are_done(stage: Stage, console: Console) -> None:
    first = await waiting(stage)
    second = await waiting(stage, "segmentation_recompute")
    await steering.cancel(client(stage), [first], console)
    with pytest.raises(Failed, match=f"^{first}: .*CANCELLED"):
        await steering.cancel(client(stage), [first, second], console)
    assert set((await states()).values()) == {RunState.CANCELLED}
    assert len(said(console)) == 2


async def test_all_of_a_state_and_kind_are_tried_again(stage: Stage, console: Console) -> None:
    ids = [await waiting(stage), await waiting(stage, "segmentation_recompute")]
    await steering.cancel(client(stage), ids)
    await steering.retry(client(stage), [], ["CANCELLED"], ["cadence_plan"], console)
    assert await states() == {
        "cadence_plan": RunState.QUEUED,
        "segmentation_recompute": RunState.CANCELLED,
    }
    assert said(console) == ["1 queued again"]


@pytest.mark.parametrize(("ids", "kinds"), [([], []), (["x"], ["cadence_plan"])])
async def test_a_retry_names_runs_or_chooses_them(stage: Stage, ids: list[str], kinds: list[str]) -> None:
    await steering.cancel(client(stage), [await waiting(stage)])
    with pytest.raises(Failed, match="name runs, or choose them"):
        await steering.retry(client(stage), ids, [], kinds)
    assert await states() == {"cadence_plan": RunState.CANCELLED}


async def test_a_queue_or_kind_is_paused_with_its_reason_and_goes_on(stage: Stage, console: Console) -> None:
    for _ in range(2):
        await steering.pause(client(stage), "recompute", None, "the database rests", console)
    await steering.pause(client(stage), None, "orders_import", "", console)
    (queue, kind) = await runs.pauses(stage.house.id)
    assert (queue.queue, queue.reason, kind.kind) == ("recompute", "the database rests", "orders_import")
    for _ in range(2):
        await steering.resume(client(stage), "recompute", None, console)
    assert [pause.kind for pause in await runs.pauses(stage.house.id)] == ["orders_import"]
    assert said(console) == [
        "recompute: paused",
        "recompute: was paused already",
        "orders_import: paused",
        "recompute: goes on",
        "recompute: was not paused",
    ]


@pytest.mark.parametrize(
    ("queue", "kind"), [(None, None), ("recompute", "cadence_plan"), ("recomptue", None)]
)
async def test_a_pause_is_of_one_queue_or_one_kind(stage: Stage, queue: str | None, kind: str | None) -> None:
    with pytest.raises(Failed):
        await steering.pause(client(stage), queue, kind, "")
    assert await runs.pauses(stage.house.id) == []


async def test_who_may_not_steer_changes_nothing(stage: Stage) -> None:
    run_id = await waiting(stage)
    executor = client(stage, Role.EXECUTOR)
    for what in (
        steering.cancel(executor, [run_id]),
        steering.pause(executor, "reports", None, ""),
        steering.resume(executor, "recompute", None),
    ):
        with pytest.raises(Failed):
            await what
    assert await states() == {"cadence_plan": RunState.QUEUED}
    assert [pause.queue for pause in await runs.pauses(stage.house.id)] == ["recompute"]


@pytest.mark.parametrize("option", [["--kind", "x"], ["--url", "http://careline.test"], ["--watch"]])
def test_an_option_before_the_command_is_not_silently_ignored(option: list[str]) -> None:
    done = CliRunner().invoke(cli, ["runs", *option, "cancel", "1"])
    assert done.exit_code == 1
    assert done.stderr == f"careline: write {option[0]} behind cancel\n"
