"""A-23, A-24: lifetime values by the documents' formulas, to the digits of the documents."""

from decimal import Decimal
from typing import Any

from domain import db
from domain.access import Role
from tests.conftest import NOON
from tests.stories.documents import REFUSAL
from tests.stories.population import Buyer, enter, recompute
from tests.stories.stage import Stage

SET = (
    "mutation ($input: ClvAssumptionsInput!, $seen: Int) { clvAssumptionsSet(input: $input, expectedVersion: $seen) "
    "{ __typename ... on ClvAssumptionsSetPayload { assumptions { number retention } } " + REFUSAL + " } }"
)
CLV = (
    "{ customers(first: 10) { nodes { externalId clv { simple { amount currency } discounted { amount } "
    "arpu { amount } annuity asOf runId stale assumptions { number retention lifetimeYears discountRate "
    "acquisitionCost { amount currency } } } } } }"
)
SIMULATE = (
    "query ($arpu: MoneyInput!, $input: ClvAssumptionsInput) { clvSimulate(arpu: $arpu, input: $input) "
    "{ simple { amount } discounted { amount } annuity assumptions { retention } } }"
)


async def worth(stage: Stage, name: str = "C1") -> dict[str, Any]:
    nodes = (await stage[Role.EXECUTOR].ask(CLV))["customers"]["nodes"]
    return {node["externalId"]: node["clv"] for node in nodes}[name]


def yuan(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "CNY"}


async def both(stage: Stage) -> tuple[str, str]:
    found = await worth(stage)
    return found["simple"]["amount"], found["discounted"]["amount"]


async def test_a23_a24_a_customer_s_two_values(stage: Stage) -> None:
    await enter(stage, [Buyer("C1", 30, 2, Decimal(1000)), Buyer("C2", 30, 1, Decimal(100))], NOON)
    assert await worth(stage) is None
    await recompute(stage)

    await stage.owner.do(SET, input={"retention": "0.65"})
    assert await both(stage) == ("2950.00", "2043.10")
    found = await worth(stage)
    assert (found["simple"]["currency"], found["arpu"]["amount"], found["annuity"]) == (
        "CNY",
        "1000.00",
        "3.604776",
    )
    assert found["assumptions"] == {
        "number": 1,
        "retention": "0.65",
        "lifetimeYears": 5,
        "discountRate": "0.12",
        "acquisitionCost": yuan("300.00"),
    }
    assert found["asOf"] == "2025-03-03T04:00:00Z" and found["runId"] and not found["stale"]
    await stage.owner.do(SET, input={"retention": "0.58"})
    assert await both(stage) == ("2600.00", "1790.77")
    await stage.owner.do(SET, input={"retention": "0.65", "discountRate": "0"})
    assert await both(stage) == ("2950.00", "2950.00")
    await stage.owner.do(SET, input={"discountRate": "0.12", "acquisitionCost": yuan("1954")})
    assert (await both(stage))[0] == "1296.00"
    await stage.owner.do(SET, input={"retention": "0.58"})
    assert (await both(stage))[0] == "946.00"
    # What was won for more than it brings is worth less than nothing: 100 x 0.58 x 5 - 1,954.
    assert (await worth(stage, "C2"))["simple"]["amount"] == "-1664.00"


async def test_a23_the_documents_37_percent_hold_for_their_own_cost_only(stage: Stage) -> None:
    async def simple(retention: str, cost: str) -> Decimal:
        data = await stage.owner.ask(
            SIMULATE,
            arpu=yuan("1000"),
            input={"retention": retention, "acquisitionCost": yuan(cost)},
        )
        return Decimal(data["clvSimulate"]["simple"]["amount"])

    rise = {}
    for cost in ("300", "1954"):
        before, after = await simple("0.58", cost), await simple("0.65", cost)
        rise[cost] = f"{(after / before - 1) * 100:.2f}"
    assert rise == {"300": "13.46", "1954": "37.00"}
    data = await stage.owner.ask(SIMULATE, arpu=yuan("1000"), input=None)
    assert data["clvSimulate"] == {
        "simple": {"amount": "2600.00"},
        "discounted": {"amount": "1790.77"},
        "annuity": "3.604776",
        "assumptions": {"retention": "0.58"},
    }
    assert (await stage.owner.ask("{ clvAssumptions { number } }"))["clvAssumptions"] == {"number": 0}


async def test_assumptions_out_of_range_are_refused_and_nothing_happens(stage: Stage) -> None:
    for given, field in (
        ({"retention": "1.01"}, "retention"),
        ({"retention": "-0.1"}, "retention"),
        ({"lifetimeYears": 0}, "lifetimeYears"),
        ({"lifetimeYears": 51}, "lifetimeYears"),
        ({"discountRate": "-0.01"}, "discountRate"),
        ({"acquisitionCost": yuan("-1")}, "acquisitionCost"),
        ({"acquisitionCost": {"amount": "1", "currency": "USD"}}, "acquisitionCost"),
    ):
        (reason,) = await stage.owner.refused(SET, input=given)
        assert (reason["code"], reason["field"]) == ("INVALID", ["input", field]), given
    (reason,) = await stage.owner.refused(SET, input={"retention": "0.5"}, seen=3)
    assert reason["code"] == "CONFLICT"
    assert await db.value("SELECT COUNT(*) FROM setting_versions WHERE name = 'clv'") == 0
    answer = (await stage[Role.OPS_HEAD].response(SET, input={"retention": "0.5"})).json()
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await db.value("SELECT COUNT(*) FROM setting_versions WHERE name = 'clv'") == 0
