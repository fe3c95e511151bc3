"""Asks how healthy customers are, by which figures, and how they were."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain import db, timekeeping
from domain.health.models import HealthBand, HealthPublication, HealthScore
from domain.health.signals import Part, parts
from domain.health.weights import SETTING, Weights

STALE_AFTER = timedelta(hours=36)
"""A nightly scoring may be half a day late before its results count as stale."""
KEPT = 24


@dataclass(frozen=True)
class Health:
    """A customer's score, made of its parts, and the run that it is of."""

    score: HealthScore
    parts: list[Part]
    published: HealthPublication
    stale: bool


@dataclass(frozen=True)
class Move:
    """What a customer's score became, as of when."""

    score: int
    band: HealthBand
    as_of: datetime


async def latest(workspace_id: int) -> HealthPublication | None:
    """The scores in force."""
    return await HealthPublication.filter(workspace_id=workspace_id).order_by("-number").first()


async def by_customer(workspace_id: int, ids: Collection[int]) -> dict[int, Health]:
    """How healthy these are by the scores in force, explained by the weights that they were made with."""
    published = await latest(workspace_id)
    if published is None:
        return {}
    weighed = await db.value(
        """SELECT value FROM setting_versions
           WHERE workspace_id = :workspace AND name = :name AND number = :number""",
        workspace=workspace_id,
        name=SETTING,
        number=published.weights,
    )
    weights = Weights() if weighed is None else Weights.of(db.document_of(weighed))
    stale = await timekeeping.now(workspace_id) - published.as_of > STALE_AFTER
    found = await HealthScore.filter(
        workspace_id=workspace_id, run_id=published.run_id, customer_id__in=list(ids)
    )
    return {each.customer_id: Health(each, parts(each, weights), published, stale) for each in found}


async def moves_by_customer(workspace_id: int, ids: Collection[int]) -> dict[int, list[Move]]:
    """The latest two dozen changes of each one's score, the latest first."""
    found = await db.rows(
        """SELECT * FROM (
             SELECT m.customer_id, m.score, m.band, p.as_of, p.number,
               row_number() OVER (PARTITION BY m.customer_id ORDER BY p.number DESC) AS place
             FROM health_moves m
             JOIN health_publications p ON p.workspace_id = :workspace AND p.run_id = m.run_id
             WHERE m.workspace_id = :workspace AND m.customer_id IN :customers) moved
           WHERE place <= :kept ORDER BY customer_id, number DESC""",
        workspace=workspace_id,
        customers=list(ids),
        kept=KEPT,
    )
    moves: dict[int, list[Move]] = {customer_id: [] for customer_id in ids}
    for row in found:
        move = Move(row["score"], HealthBand(row["band"]), db.instant_of(row["as_of"]))
        moves[row["customer_id"]].append(move)
    return moves
