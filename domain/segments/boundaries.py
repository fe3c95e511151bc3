"""The keys at which tiers ended when everybody was last ranked, and quantiles between: ranks by looking up.

A key is whole, down to the id, and rises with the rank. Who lies before the key of a boundary is within
it, whoever else has moved since; between two quantiles a rank is known to a thousandth of all.
"""

from domain import db
from domain.segments.figures import Part
from domain.segments.thresholds import Thresholds

QUANTILES = 1000
KEYS = ("k1", "k2", "k3", "k4")
_KEY = ", ".join(KEYS)
_NEVER = 1_000_000
"""As a day: after all others."""


def _keys(customer: str) -> dict[str, tuple[str, str, str, str]]:
    """The keys of a row with figures of its own, by measure."""
    day = "last_order_on - DATE '2000-01-01'"
    if not db.is_postgres():
        day = "CAST(julianday(last_order_on) - 2451544.5 AS INTEGER)"
    recent = f"CASE WHEN last_order_on IS NULL THEN {_NEVER} ELSE -({day}) END"
    spent, often = "-monetary_minor", "-frequency"
    return {
        "R": (recent, spent, often, customer),
        "F": (often, spent, recent, customer),
        "M": (spent, recent, often, customer),
    }


def _named(keys: tuple[str, ...]) -> str:
    return ", ".join(f"{key} AS {name}" for key, name in zip(keys, KEYS, strict=True))


async def store(workspace_id: int, lines: Thresholds, n: int) -> None:
    """Keep the boundaries and quantiles of the ranks as they are published now."""
    await db.execute("DELETE FROM placement_cuts WHERE workspace_id = :workspace", workspace=workspace_id)
    silver = lines.silver_percent * n // 100
    wanted = {
        "R": ("r_rank", [lines.gold_r_percent * n // 100, silver]),
        "F": ("f_rank", [silver]),
        "M": ("m_rank", [lines.gold_m_percent * n // 100, silver]),
        "C": ("composite_rank", [silver]),
    }
    composite = ("r_rank + f_rank + m_rank", "m_rank", "r_rank", "customer_id")
    keys = {**_keys("customer_id"), "C": composite}
    for measure, (rank, ends) in wanted.items():
        await db.execute(
            f"""INSERT INTO placement_cuts (workspace_id, measure, rank, {_KEY})
                SELECT workspace_id, '{measure}', {rank}, {_named(keys[measure])} FROM placements
                WHERE workspace_id = :workspace AND ({rank} % :step = 0 OR {rank} IN :ends)""",
            workspace=workspace_id,
            step=max(1, n // QUANTILES),
            ends=ends,
        )


def estimated() -> Part:
    """Expressions that end in `estimated`: for each id of `own` its places r, m and composite.

    A place is one behind the last stored key that lies before the customer's own. By sorting, not by
    looking up each: a thousand customers cost little more than one.
    """
    unknown = "CAST(NULL AS bigint)"
    keyed = " UNION ALL ".join(
        f"SELECT id, '{measure}' AS measure, {_named(keys)}, {unknown} AS rank, 0 AS stored FROM own"
        for measure, keys in _keys("id").items()
    )
    place = f"COALESCE(MAX(rank) OVER ({{}}ORDER BY {_KEY}, stored ROWS UNBOUNDED PRECEDING), 0) + 1"
    stored = f"SELECT {unknown}, measure, {_KEY}, rank, 1 FROM placement_cuts"
    composite = ("r + f + m", "m", "r", "id")
    return Part(
        f"""keyed AS (
          {keyed} UNION ALL {stored} WHERE workspace_id = :workspace AND measure <> 'C'
        ), places AS (
          SELECT id, measure, {place.format("PARTITION BY measure ")} AS place FROM keyed
        ), three AS (
          SELECT id, MAX(CASE WHEN measure = 'R' THEN place END) AS r,
            MAX(CASE WHEN measure = 'F' THEN place END) AS f,
            MAX(CASE WHEN measure = 'M' THEN place END) AS m
          FROM places WHERE id IS NOT NULL GROUP BY id
        ), composite AS (
          SELECT id, 'C' AS measure, r, m, {_named(composite)}, {unknown} AS rank, 0 AS stored
          FROM three
          UNION ALL SELECT {unknown}, measure, {unknown}, {unknown}, {_KEY}, rank, 1
          FROM placement_cuts WHERE workspace_id = :workspace AND measure = 'C'
        ), estimated AS (
          SELECT id, r, m, {place.format("")} AS c FROM composite
        )""",
        {},
    )
