"""Customers are foretold by models fitted to their orders, as the models' authors published them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.access import Role
from tests.conftest import NOON
from tests.domain.predictions import cdnow
from tests.stories.documents import ORDERS_IMPORT, REFUSAL
from tests.stories.population import Buyer, enter
from tests.stories.stage import Asker, Stage, staged

REFIT = (
    "mutation { predictionRefit { __typename ... on PredictionRefitPayload { run { id kind state } } "
    + REFUSAL
    + " } }"
)
MODEL = (
    "{ predictionModel { number asOf customers repeaters spenders resolutionDays r alpha a b logLikelihood "
    "converged starts agreeing p q gamma spendingConverged clvYears clvRate stale run { id kind } "
    "holdout { cutOn until customers benchmarkPrecision benchmarkRecall "
    "calibration { repeats customers predicted actual } "
    "warnings { rule customers warned lost both precision recall prevalence } } } "
    "predictionModels(first: 5) { totalCount nodes { number clvRate } } }"
)
PREDICTION = (
    "query ($id: String!) { customer(externalId: $id) { prediction { pAlive noOrder30Days "
    "expectedOrders30Days expectedOrders12Months expectedOrderValue { amount currency } "
    "expectedValue12Months { amount } modelClv { amount } repeats recencyDays ageDays "
    "computedAt asOf runId stale model { number run { id } } } } }"
)


@asynccontextmanager
async def sampled(database: str, until: date) -> AsyncIterator[Stage]:
    """The sample's orders up to a day, in a shop for dollars on the evening of that day."""
    evening = datetime.combine(until, time(23), ZoneInfo("Asia/Shanghai"))
    async with staged(database, evening, currency="USD") as stage:
        file_id = await stage.owner.upload("orders.csv", cdnow.orders_csv(until))
        done = await stage.owner.do(ORDERS_IMPORT, file=file_id)
        run = await stage.owner.finish(done["run"]["id"])
        assert {e["name"]: e["value"] for e in run["result"]}["rejected"] == "0"
        yield stage


async def refit(asker: Asker) -> dict[str, Any]:
    done = await asker.do(REFIT)
    assert done["run"]["kind"] == "prediction_refit"
    return await asker.finish(done["run"]["id"])


async def test_the_published_estimates_come_out_of_the_imported_sample(database: str) -> None:
    async with sampled(database, cdnow.CUT) as stage:
        run = await refit(stage[Role.ANALYST])
        assert run["progress"] == {"done": 2357, "total": 2357, "unit": "customers"}
        data = await stage[Role.ANALYST].ask(MODEL)
        model = data["predictionModel"]
        printed = {name: f"{model[name]:.3f}" for name in ("r", "alpha", "a", "b")}
        assert printed == {"r": "0.243", "alpha": "4.414", "a": "0.793", "b": "2.426"}
        assert f"{model['logLikelihood']:.1f}" == "-9582.4"
        assert (model["customers"], model["repeaters"], model["spenders"]) == (2357, 946, 946)
        assert (f"{model['p']:.2f}", f"{model['q']:.2f}", f"{model['gamma'] / 100:.2f}") == (
            "6.25",
            "3.74",
            "15.44",
        )
        assert model["converged"] and model["spendingConverged"] and not model["stale"]
        assert (model["starts"], model["agreeing"], model["resolutionDays"]) == (4, 4, 1)
        assert (model["number"], model["run"]) == (1, {"id": run["id"], "kind": "prediction_refit"})
        assert (model["clvYears"], Decimal(model["clvRate"])) == (5, Decimal("0.12"))
        assert data["predictionModels"]["totalCount"] == 1

        told = (await stage.owner.ask(PREDICTION, id="00004"))["customer"]["prediction"]
        # The customer of the authors' own example: 2 purchases, the last in week 30.43 of 38.86.
        assert (told["repeats"], told["recencyDays"], told["ageDays"]) == (2, 213, 272)
        assert told["pAlive"] == pytest.approx(0.7266, abs=1e-4)
        assert 0 < told["expectedOrders30Days"] < told["expectedOrders12Months"] < 2
        value, year = (Decimal(told[n]["amount"]) for n in ("expectedOrderValue", "expectedValue12Months"))
        assert year == pytest.approx(value * Decimal(told["expectedOrders12Months"]), abs=Decimal("0.02"))
        assert year < Decimal(told["modelClv"]["amount"]) < 5 * year
        assert (told["model"], told["runId"], told["stale"]) == (
            {"number": 1, "run": {"id": run["id"]}},
            run["id"],
            False,
        )


async def test_the_later_half_tells_how_good_the_warnings_were(database: str) -> None:
    async with sampled(database, cdnow.END) as stage:
        await refit(stage.owner)
        held_out = (await stage.owner.ask(MODEL))["predictionModel"]["holdout"]
        # Half of 78 weeks: the very cut of the publication.
        assert (held_out["cutOn"], held_out["until"]) == ("1997-09-30", "1998-06-30")
        assert held_out["customers"] == 2357
        points = held_out["calibration"]
        assert [point["customers"] for point in points] == [1411, 439, 214, 100, 62, 38, 29, 64]
        assert [f"{point['predicted']:.3f}" for point in points] == [
            "0.225", "0.523", "1.044", "1.520", "2.164", "2.654", "3.504", "6.157",
        ]  # fmt: skip
        assert [f"{point['actual']:.3f}" for point in points] == [
            "0.237", "0.697", "1.393", "1.560", "2.532", "2.947", "3.862", "6.359",
        ]  # fmt: skip
        rules = {row["rule"]: row for row in held_out["warnings"]}
        assert {
            name: [row[n] for n in ("customers", "warned", "lost", "both")] for name, row in rules.items()
        } == {
            "NOT_ALIVE": [2357, 393, 1714, 260],
            "NO_ORDER": [2357, 2052, 1714, 1633],
            "QUIET_30_DAYS": [2357, 2326, 2185, 2175],
        }
        told = rules["NO_ORDER"]
        assert (told["precision"], told["recall"], told["prevalence"]) == ("0.795809", "0.952742", "0.727196")
        assert (held_out["benchmarkPrecision"], held_out["benchmarkRecall"]) == ("0.85", "0.87")


async def test_too_few_customers_are_told_so_and_nobody_is_foretold(stage: Stage) -> None:
    await enter(stage, [Buyer(f"C{n}", n, 2, Decimal(100)) for n in range(5)], NOON)
    done = await stage.owner.do(REFIT)
    await stage.settle()
    data = await stage.owner.ask(
        "query ($id: ID!) { run(id: $id) { state errorCode errors { message } } "
        "predictionModel { number } predictionModels { totalCount } }",
        id=done["run"]["id"],
    )
    assert (data["run"]["state"], data["run"]["errorCode"]) == ("FAILED", "TOO_FEW_CUSTOMERS")
    assert "5 customers have ordered; a fit needs at least 100" in data["run"]["errors"][-1]["message"]
    assert (data["predictionModel"], data["predictionModels"]["totalCount"]) == (None, 0)
    told = await stage.owner.ask(PREDICTION, id="C1")
    assert told["customer"]["prediction"] is None


async def test_only_who_builds_may_refit_and_everybody_may_read(stage: Stage) -> None:
    for role, asker in stage.askers.items():
        assert (await asker.ask("{ predictionModel { number } }"))["predictionModel"] is None
        if role not in (Role.OWNER, Role.ADMIN, Role.OPS_HEAD, Role.ANALYST):
            answer = (await asker.response(REFIT)).json()
            assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    runs = await stage.owner.ask('{ runs(where: {kind: {eq: "prediction_refit"}}) { totalCount } }')
    assert runs["runs"]["totalCount"] == 0
