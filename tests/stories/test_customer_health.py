"""A customer's health is a score of named signals, explained by them, by weights that the house may change."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.access import Role
from tests.stories.conftest import Open
from tests.stories.documents import CUSTOMER_UPSERT, INTERACTION_RECORD, ORDER_RECORD, REFUSAL
from tests.stories.stage import Stage, shanghai

HEALTH = (
    "query ($id: String!) { customer(externalId: $id) { health { score band weightsVersion asOf runId stale "
    "computedAt parts { signal value outOf rating weight points } history { score band asOf } } } }"
)
WEIGHTS = (
    "{ healthWeights { number recency frequency response satisfaction engagement greenFrom yellowFrom } }"
)
SET = (
    "mutation ($input: HealthWeightsInput!, $version: Int) { healthWeightsSet(input: $input, "
    "expectedVersion: $version) { __typename ... on HealthWeightsSetPayload { number } " + REFUSAL + " } }"
)
RECOMPUTE = (
    "mutation { healthRecompute { __typename ... on HealthRecomputePayload { run { id kind } } "
    + REFUSAL
    + " } }"
)
NOW = shanghai("2025-03-03T12:00")


async def recompute(stage: Stage) -> dict[str, Any]:
    done = await stage[Role.ANALYST].do(RECOMPUTE)
    assert done["run"]["kind"] == "health_scoring"
    return await stage.owner.finish(done["run"]["id"])


async def health(stage: Stage, key: str = "C-1") -> Any:
    return (await stage[Role.ANALYST].ask(HEALTH, id=key))["customer"]["health"]


async def settle_in(stage: Stage) -> None:
    """Heard of a week ago; 2 orders and then 1; one of two calls answered."""
    made = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "C-1"})
    for number, days in enumerate((7, 100, 110)):
        given = {
            "externalId": f"O-{number}",
            "customerExternalId": "C-1",
            "orderedAt": (NOW - timedelta(days=days)).isoformat(),
            "amount": {"amount": "10.00", "currency": "CNY"},
        }
        await stage.owner.do(ORDER_RECORD, input=given)
    for result, days in (("REACHED", 20), ("NO_ANSWER", 10)):
        given = {
            "channel": "PHONE",
            "direction": "OUTBOUND",
            "result": result,
            "occurredAt": (NOW - timedelta(days=days)).isoformat(),
        }
        await stage.owner.do(INTERACTION_RECORD, customer=made["customer"]["id"], input=given)


async def test_a_score_is_explained_signal_by_signal_and_its_history_is_kept(stage_at: Open) -> None:
    async with stage_at(NOW) as stage:
        await settle_in(stage)
        assert await health(stage) is None, "nothing was computed yet"
        run = await recompute(stage)
        found = await health(stage)
        # (30 x 100 + 25 x 50 + 20 x 50) / 75 = 70.
        assert (found["score"], found["band"], found["weightsVersion"]) == (70, "GREEN", 0)
        assert found["parts"] == [
            {"signal": "RECENCY", "value": 7, "outOf": None, "rating": 100, "weight": 30, "points": "40.00"},
            {"signal": "FREQUENCY", "value": 1, "outOf": 2, "rating": 50, "weight": 25, "points": "16.67"},
            {"signal": "RESPONSE", "value": 1, "outOf": 2, "rating": 50, "weight": 20, "points": "13.33"},
            {"signal": "SATISFACTION", "value": 0, "outOf": 0, "rating": None, "weight": 15, "points": None},
            {"signal": "ENGAGEMENT", "value": 0, "outOf": None, "rating": None, "weight": 10, "points": None},
        ]
        assert sum(Decimal(part["points"]) for part in found["parts"] if part["points"]) == found["score"]
        assert (found["runId"], found["stale"]) == (run["id"], False)
        assert found["asOf"] == "2025-03-03T04:00:00Z"
        assert found["history"] == [{"score": 70, "band": "GREEN", "asOf": "2025-03-03T04:00:00Z"}]

        await stage.advance(NOW + timedelta(hours=37))
        assert (await health(stage))["stale"] is True
        await stage.advance(NOW + timedelta(days=98))
        await recompute(stage)
        later = await health(stage)
        assert (later["stale"], [move["score"] for move in later["history"]]) == (False, [later["score"], 70])
        assert later["score"] < 70 and later["band"] != "GREEN"


async def test_weights_are_versions_and_scores_follow_with_the_next_scoring(stage_at: Open) -> None:
    async with stage_at(NOW) as stage:
        await settle_in(stage)
        await recompute(stage)
        before = (await stage.owner.ask(WEIGHTS))["healthWeights"]
        assert before == {
            "number": 0, "recency": 30, "frequency": 25, "response": 20, "satisfaction": 15, "engagement": 10,
            "greenFrom": 70, "yellowFrom": 40,
        }  # fmt: skip

        for given, field in (
            ({"recency": 0}, ["input", "recency"]),
            ({"response": 101}, ["input", "response"]),
            ({"greenFrom": 40}, ["input", "greenFrom"]),
        ):
            (reason,) = await stage.owner.refused(SET, input=given)
            assert (reason["code"], reason["field"]) == ("INVALID", field)
        (reason,) = await stage.owner.refused(SET, input={"recency": 1}, version=3)
        assert (reason["code"], reason["field"]) == ("CONFLICT", ["expectedVersion"])
        answer = (await stage[Role.ANALYST].response(SET, input={"recency": 1})).json()
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert (await stage.owner.ask(WEIGHTS))["healthWeights"] == before, "and nothing happened"

        assert (await stage.owner.do(SET, input={"frequency": 0, "response": 0}, version=0))["number"] == 1
        old = await health(stage)
        assert (old["score"], old["weightsVersion"], old["parts"][1]["weight"]) == (70, 0, 25)
        await recompute(stage)
        new = await health(stage)
        assert (new["score"], new["weightsVersion"]) == (100, 1)
        assert [part["points"] for part in new["parts"]] == ["100.00", "0.00", "0.00", None, None]
        assert [move["score"] for move in new["history"]] == [100, 70]
