"""Random populations are scored as a plain reading of the rules would score them, and every score explains itself."""

import importlib
import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import db, health, runs
from domain.customers import Customer
from domain.health import HealthMove, HealthPublication, HealthScore, HealthSignal, Weights
from domain.runs import Run, RunState
from tests.conftest import NOON, House

DAY = timedelta(days=1)
EDGES = (0, 1, 29, 30, 31, 60, 89, 90, 91, 179, 180, 181, 300, 365, 366)
"""Ages in days around which something begins or ends; half of all things lie on them exactly."""


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("domain.health.scoring"), "PAGE", 25)


def age(chance: random.Random) -> timedelta:
    exactly = chance.random() < 0.5
    days = chance.choice(EDGES) if exactly else chance.randint(0, 400)
    return timedelta(days=days, seconds=0 if exactly else chance.randint(0, 86_399))


async def populate(house: House, chance: random.Random, size: int) -> list[dict[str, Any]]:
    """Customers with orders, events, contacts and call-backs of every age; what was made, for the oracle."""
    made = []
    for number in range(size):
        known = {
            "registered": NOON - age(chance),
            "excluded": chance.random() < 0.1,
            "cancelled": chance.random() < 0.1,
        }
        heard = None if chance.random() < 0.2 else NOON - age(chance)
        row = await Customer.create(
            workspace_id=house.id,
            external_id=f"C-{number}",
            registered_at=known["registered"],
            last_interaction_at=heard,
            excluded=known["excluded"],
            cancelled_at=NOON if known["cancelled"] else None,
            created_at=NOON,
            updated_at=NOON,
        )
        things: dict[str, list[Any]] = {
            "orders": [(NOON - age(chance), chance.random() < 0.2) for _ in range(chance.randint(0, 6))],
            "events": [NOON - age(chance) for _ in range(chance.choice((0, 0, 3, 14)))],
            "contacts": [
                (
                    NOON - age(chance),
                    chance.choice(("INBOUND", "OUTBOUND", "OUTBOUND")),
                    chance.random() < 0.8,
                    chance.choice(("REACHED", "NO_ANSWER", "REFUSED", "WRONG_ADDRESS")),
                )
                for _ in range(chance.randint(0, 7))
            ],
            "ratings": [
                (NOON - age(chance), chance.choice((None, 1, 2, 3, 4, 5)), chance.randint(1, 5))
                for _ in range(chance.choice((0, 0, 1, 2)))
            ],
        }
        await _store(house, row.id, number, things)
        made.append({"id": row.id, "heard": heard or known["registered"], **known, **things})
    return made


async def _store(house: House, customer: int, number: int, things: dict[str, list[Any]]) -> None:
    mine = {"workspace_id": house.id, "version": 1, "customer_id": customer}
    await db.insert_many(
        "orders",
        [
            mine
            | {
                "external_id": f"O-{number}-{n}",
                "status": "REFUNDED" if refunded else "PAID",
                "ordered_at": at,
                "ordered_on": at.date(),
                "quantity": 1,
                "amount_minor": 100,
                "currency": "CNY",
                "created_at": NOON,
            }
            for n, (at, refunded) in enumerate(things["orders"])
        ],
    )
    await db.insert_many(
        "behaviour_events",
        [
            mine
            | {
                "external_id": f"E-{number}-{n}",
                "name": "login",
                "occurred_at": at,
                "data": "{}",
                "created_at": NOON,
            }
            for n, at in enumerate(things["events"])
        ],
    )
    await db.insert_many(
        "interactions",
        [
            mine
            | {
                "channel": "PHONE",
                "direction": direction,
                "personal": personal,
                "result": result,
                "note": "",
                "occurred_at": at,
                "created_at": NOON,
            }
            for at, direction, personal, result in things["contacts"]
        ],
    )
    await db.insert_many(
        "tasks",
        [
            mine
            | {
                "kind": "POST_DELIVERY_CALLBACK",
                "state": "DONE",
                "title": "",
                "script": "",
                "priority": "NORMAL",
                "dedupe_key": f"{number}-{n}",
                "due_at": at,
                "policy": "",
                "policy_number": 0,
                "rung": 0,
                "attempts": 0,
                "outcome": db.encode(
                    {"result": "REACHED", "need_satisfaction": meets}
                    | ({} if smooth is None else {"smoothness_of_use": smooth})
                ),
                "closed_at": at,
                "created_at": NOON,
                "updated_at": NOON,
            }
            for n, (at, smooth, meets) in enumerate(things["ratings"])
        ],
    )


def within(at: datetime, days: int, until: datetime = NOON) -> bool:
    return until - days * DAY < at <= until


def oracle(known: dict[str, Any], w: Weights) -> tuple[int, str] | None:
    """The score of one customer, thing by thing; none for who does not count."""
    if known["excluded"] or known["cancelled"]:
        return None
    said: list[tuple[int, int]] = []
    days = (NOON - known["heard"]).days
    said.append((w.recency, 100 if days <= 30 else 0 if days >= 180 else (180 - days) * 100 // 150))
    kept = [at for at, refunded in known["orders"] if not refunded]
    now = sum(within(at, 90) for at in kept)
    earlier = sum(within(at, 90, NOON - 90 * DAY) for at in kept)
    if now or earlier:
        said.append((w.frequency, 100 if now >= earlier else 100 * now // earlier))
    asked = [
        result
        for at, direction, personal, result in known["contacts"]
        if direction == "OUTBOUND" and personal and result != "WRONG_ADDRESS" and within(at, 180)
    ]
    if asked:
        said.append((w.response, 100 * sum(result != "NO_ANSWER" for result in asked) // len(asked)))
    rated = [n for at, *both in known["ratings"] if within(at, 365) for n in both if n is not None]
    if rated:
        said.append((w.satisfaction, 25 * sum(n - 1 for n in rated) // len(rated)))
    did = known["events"] + [at for at, direction, _, _ in known["contacts"] if direction == "INBOUND"]
    if any(within(at, 180) for at in did):
        said.append((w.engagement, min(100, 10 * sum(within(at, 30) for at in did))))
    whole = sum(weight for weight, _ in said)
    score = int(Decimal(sum(a * b for a, b in said)) / whole + Decimal("0.5"))
    return score, "GREEN" if score >= w.green_from else "YELLOW" if score >= w.yellow_from else "RED"


async def scored(house: House) -> Run:
    run = await health.recompute(house.owner)
    assert await runs.perform(run.id, "test", 30)
    run = await Run.get(id=run.id)
    assert run.state is RunState.SUCCEEDED, run.errors
    return run


@pytest.mark.parametrize("seed", range(4))
async def test_everybody_is_scored_as_a_plain_reading_of_the_rules_would(house: House, seed: int) -> None:
    chance = random.Random(seed)
    made = await populate(house, chance, 60)
    changes = (
        {}
        if seed == 0
        else {"recency": chance.randint(1, 100), "response": chance.randint(0, 100), "engagement": 0}
    )
    weights = (await health.weights_set(house.owner, **changes)).weights
    run = await scored(house)
    expected = {known["id"]: said for known in made if (said := oracle(known, weights)) is not None}
    rows = await HealthScore.filter(workspace_id=house.id, run_id=run.id)
    assert {row.customer_id: (row.score, row.band.value) for row in rows} == expected
    assert {said for _, said in expected.values()} == {"GREEN", "YELLOW", "RED"}, "the test sees all bands"

    explained = await health.by_customer(house.id, list(expected))
    seen = set()
    for customer_id, found in explained.items():
        score, _ = expected[customer_id]
        assert health.score(found.score, weights) == score, "the explanation gives the stored score"
        assert health.band(score, weights) is found.score.band
        points = [part.points for part in found.parts if part.points is not None]
        assert abs(sum(points) - score) <= Decimal("0.5") + Decimal("0.01") * len(points)
        seen |= {part.signal for part in found.parts if part.rating is not None}
    assert seen == set(HealthSignal)


async def test_only_scores_that_moved_are_kept_as_history_and_of_old_runs_nothing_else(house: House) -> None:
    await populate(house, random.Random(7), 40)
    first = await scored(house)
    counted = await HealthScore.filter(run_id=first.id).count()
    assert first.result["customers"] == first.result["moved"] == counted > 20
    second = await scored(house)
    assert second.result == {"number": 2, "customers": counted, "moved": 0}
    assert await HealthMove.filter(run_id=second.id).count() == 0
    assert await HealthScore.exclude(run_id=second.id).count() == 0, "the old ones are swept"

    await house.turn(NOON + 45 * DAY)
    third = await scored(house)
    assert 0 < third.result["moved"] <= counted
    moved = {row.customer_id: row.score for row in await HealthMove.filter(run_id=third.id)}
    history = await health.moves_by_customer(house.id, list(moved))
    for customer_id, score in moved.items():
        latest, before = history[customer_id]
        assert (latest.score, latest.as_of, before.as_of) == (score, NOON + 45 * DAY, NOON)
        assert (latest.score, latest.band) != (before.score, before.band)


async def test_what_a_run_left_that_was_never_published_is_seen_by_nobody_and_goes(house: House) -> None:
    await populate(house, random.Random(9), 20)
    first = await scored(house)
    left = await runs.enqueue(house.owner, "health_scoring", unique_key="other")
    row = await HealthScore.filter(run_id=first.id).order_by("id").first()
    assert row is not None
    values = {n: getattr(row, n) for n in row._meta.db_fields if n not in ("id", "run_id", "score", "band")}
    await db.insert_many("health_scores", [values | {"run_id": left.id, "score": 1, "band": "RED"}])
    await db.insert_many(
        "health_moves",
        [
            {
                "workspace_id": house.id,
                "run_id": left.id,
                "customer_id": row.customer_id,
                "score": 1,
                "band": "RED",
            }
        ],
    )
    assert (await health.by_customer(house.id, [row.customer_id]))[row.customer_id].score.score == row.score
    assert [
        m.score for m in (await health.moves_by_customer(house.id, [row.customer_id]))[row.customer_id]
    ] == [row.score]
    await scored(house)
    assert (
        await HealthScore.filter(run_id=left.id).count()
        == await HealthMove.filter(run_id=left.id).count()
        == 0
    )
    assert await HealthPublication.filter(workspace_id=house.id).count() == 2
