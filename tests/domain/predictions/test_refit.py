"""A refit is published whole or not at all, once, however often it is interrupted."""

import importlib
import math
from datetime import timedelta
from typing import Any

import pytest

from domain import predictions, runs
from domain.access import Role
from domain.errors import Forbidden
from domain.journal import JournalLine
from domain.predictions import Prediction, PredictionModel, estimating, fitting
from domain.runs import Run, RunState, Work
from tests.conftest import NOON, House, build_house
from tests.domain.predictions.population import buyers, counted, oddities, refit, settled
from tests.domain.segments.population import Bought, buy, table

inside = importlib.import_module("domain.predictions.refit")
PEOPLE = [*buyers(150), *oddities()]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "PAGE", 40)


async def _all() -> list[Any]:
    return [await table("predictions"), await table("prediction_models")]


async def test_everybody_who_bought_is_foretold_by_a_published_model(house: House) -> None:
    ids = await settled(house.id, PEOPLE)
    run = await refit(house.admin)
    wanted = counted(PEOPLE)
    assert run.state is RunState.SUCCEEDED, run.errors
    assert run.result == {"number": 1, "customers": len(wanted), "converged": True}
    assert (run.progress_done, run.progress_total) == (len(wanted), len(wanted))
    model = await predictions.latest(house.id)
    assert model is not None
    assert (model.run_id, model.number, model.as_of, model.customers) == (run.id, 1, NOON, len(wanted))
    assert model.converged and model.spending_converged and model.agreeing == model.starts
    found = await predictions.by_customer(house.id, list(ids.values()))
    assert set(found) == {ids[name] for name in wanted}
    for name, history in wanted.items():
        told = found[ids[name]].prediction
        assert (told.repeats, told.recency_days, told.age_days) == (
            history.repeats,
            history.recency,
            history.age,
        )
        assert 0 <= told.p_alive <= 1 and 0 <= told.quiet_30d <= 1
        assert 0 <= told.orders_30d <= told.orders_12m
        assert told.value_12m_minor == pytest.approx(
            told.value_minor * told.orders_12m, abs=1 + told.orders_12m
        )
        # Five years discounted are worth more than one year alone at 12 %, and less than five of it.
        assert told.value_12m_minor / 1.12 - 2 <= told.clv_minor <= told.value_12m_minor * 5 + 2
        assert all(math.isfinite(value) for value in (told.p_alive, told.orders_12m))
    left = found[ids["LEFT"]].prediction
    assert (left.p_alive, left.quiet_30d, left.orders_12m, left.clv_minor) == (0, 1, 0, 0)
    everybody = model.p * model.gamma / (model.q - 1)
    for name in ("TODAY", "FREE"):  # of whose amounts nothing is known
        assert found[ids[name]].prediction.value_minor == round(everybody)
    line = await JournalLine.get(name="prediction_model.published")
    assert (line.subject_id, line.data) == (model.id, {"number": 1})


async def test_the_next_refit_takes_the_place_of_the_last(house: House) -> None:
    ids = await settled(house.id, PEOPLE)
    await refit(house.admin)
    await house.turn(NOON + timedelta(days=30))
    await buy(house.id, "B0", ids["B0"], [Bought(NOON + timedelta(days=10), 4_000)])
    run = await refit(house.admin)
    assert run.result["number"] == 2
    assert await Prediction.filter(workspace_id=house.id).exclude(run_id=run.id).count() == 0
    assert [model.number for model in await PredictionModel.all().order_by("id")] == [1, 2]
    told = (await predictions.by_customer(house.id, [ids["B0"]]))[ids["B0"]]
    assert told.model.number == 2 and not told.stale
    assert told.prediction.repeats == counted(PEOPLE)["B0"].repeats + 1
    await house.turn(NOON + timedelta(days=30 + 47))
    assert (await predictions.by_customer(house.id, [ids["B0"]]))[ids["B0"]].stale


@pytest.mark.parametrize(
    ("people", "code"),
    [
        (0, "TOO_FEW_CUSTOMERS"),
        (60, "TOO_FEW_CUSTOMERS"),
    ],
)
async def test_too_few_customers_are_refused_and_nothing_happens(
    house: House, people: int, code: str
) -> None:
    await settled(house.id, buyers(people))
    run = await refit(house.admin)
    assert (run.state, run.error_code, run.attempt) == (RunState.FAILED, code, 1)
    assert await _all() == [[], []]
    assert not await JournalLine.filter(name="prediction_model.published").exists()


async def test_too_few_who_came_back_are_refused_and_the_old_model_stays(house: House) -> None:
    await settled(house.id, PEOPLE)
    await refit(house.admin)
    before = await _all()
    other = await build_house("Once")
    once = [type(p)(p.name, p.registered, orders=p.orders[:1]) for p in buyers(120)]
    await settled(other.id, once)
    run = await refit(other.admin)
    assert (run.state, run.error_code) == (RunState.FAILED, "TOO_FEW_REPEATERS")
    assert "0 customers have ordered on a second day" in run.errors[-1]["message"]
    assert await _all() == before
    assert await predictions.latest(other.id) is None


async def test_what_cannot_be_fitted_is_refused_once_and_nothing_happens(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(house.id, PEOPLE)

    def nowhere(_: object) -> None:
        raise fitting.NoFit("the likelihood is finite at none of the starts")

    monkeypatch.setattr(estimating.spending, "fit", nowhere)
    run = await refit(house.admin)
    assert (run.state, run.error_code, run.attempt) == (RunState.FAILED, "NO_FIT", 1)
    assert await _all() == [[], []]


async def _stopping_after(monkeypatch: pytest.MonkeyPatch, pages: int, then: Any) -> None:
    """The run writes so many pages, and then that happens before the next."""
    foretell, done = inside._foretell, 0

    async def stopped(work: Work) -> bool:
        nonlocal done
        if done == pages:
            done += 1
            await then(work)
        else:
            done += 1
        return bool(await foretell(work))

    monkeypatch.setattr(inside, "_foretell", stopped)


async def test_readers_see_the_old_predictions_until_the_new_ones_are_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await settled(house.id, PEOPLE)
    await refit(house.admin)
    before = {
        c: vars(t.prediction) for c, t in (await predictions.by_customer(house.id, [*ids.values()])).items()
    }
    await house.turn(NOON + timedelta(days=50))
    seen: list[Any] = []

    async def look(work: Work) -> None:
        found = await predictions.by_customer(house.id, [*ids.values()])
        seen.append({customer: vars(told.prediction) for customer, told in found.items()})
        assert await Prediction.filter(run_id=work.run.id).count() > 0

    await _stopping_after(monkeypatch, 2, look)
    run = await refit(house.admin)
    assert run.state is RunState.SUCCEEDED
    strip = [
        {c: {k: v for k, v in row.items() if k[0] != "_"} for c, row in each.items()}
        for each in (before, seen[0])
    ]
    assert strip[0] == strip[1]


async def test_a_cancelled_refit_changes_nothing_that_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await settled(house.id, PEOPLE)
    first = await refit(house.admin)
    await house.turn(NOON + timedelta(days=10))

    async def cancel(work: Work) -> None:
        await runs.cancel(house.admin, work.run.id)

    with monkeypatch.context() as patch:
        await _stopping_after(patch, 2, cancel)
        run = await refit(house.admin)
    assert run.state is RunState.CANCELLED
    assert await PredictionModel.all().count() == 1
    told = await predictions.by_customer(house.id, list(ids.values()))
    assert len(told) == len(counted(PEOPLE))
    assert {each.prediction.run_id for each in told.values()} == {first.id}
    again = await refit(house.admin)
    assert again.result["number"] == 2
    assert await Prediction.exclude(run_id=again.id).count() == 0, "what the cancelled run left is gone too"


@pytest.mark.parametrize("pages", [0, 1, 3])
async def test_a_refit_killed_between_pages_goes_on_and_doubles_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    await settled(house.id, PEOPLE)
    wanted = await refit(house.admin)
    plain = await Prediction.filter(run_id=wanted.id).order_by("customer_id").values()

    async def die(work: Work) -> None:
        raise RuntimeError("the machine room is on fire")

    with monkeypatch.context() as patch:
        await _stopping_after(patch, pages, die)
        run = await predictions.refit(house.admin)
        assert await runs.perform(run.id, "first", 30)
    assert (await Run.get(id=run.id)).state is RunState.RETRYING
    await house.turn(NOON + timedelta(hours=1))  # it goes on as of the instant at which it began
    fits: list[int] = []
    monkeypatch.setattr(inside, "_fit", lambda work: fits.append(1))
    await Run.filter(id=run.id).update(run_at=NOON, state=RunState.QUEUED)
    assert await runs.perform(run.id, "second", 30)
    done = await Run.get(id=run.id)
    assert done.state is RunState.SUCCEEDED, done.errors
    assert fits == []
    again = await Prediction.filter(run_id=run.id).order_by("customer_id").values()
    leave = ("id", "run_id")
    assert [{k: v for k, v in row.items() if k not in leave} for row in again] == [
        {k: v for k, v in row.items() if k not in leave} for row in plain
    ]
    assert (await PredictionModel.get(run_id=run.id)).as_of == NOON


async def test_only_who_builds_starts_a_refit(house: House) -> None:
    for role, who in house.staff.items():
        if role in (Role.OWNER, Role.ADMIN, Role.OPS_HEAD, Role.ANALYST):
            assert (await predictions.refit(who)).kind == "prediction_refit"
        else:
            with pytest.raises(Forbidden):
                await predictions.refit(who)
    assert await Run.filter(kind="prediction_refit").count() == 1
