"""The tags of customers, replaced as a set."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from domain import db


async def of(workspace_id: int, customer_ids: list[int]) -> dict[int, list[str]]:
    """The tags of each customer, in alphabetical order; none is an empty list."""
    found: dict[int, list[str]] = {customer_id: [] for customer_id in customer_ids}
    if customer_ids:
        for row in await db.rows(
            """SELECT customer_id, tag FROM customer_tags
               WHERE workspace_id = :workspace AND customer_id IN :customers""",
            workspace=workspace_id,
            customers=customer_ids,
        ):
            found[row["customer_id"]].append(row["tag"])
    return {customer_id: sorted(tags) for customer_id, tags in found.items()}


async def replace(workspace_id: int, wanted: Mapping[int, AbstractSet[str]]) -> set[int]:
    """Give each customer exactly these tags; the ids of those for whom that was a change."""
    present = await of(workspace_id, sorted(wanted))
    lost = [(c, tag) for c, tags in present.items() for tag in tags if tag not in wanted[c]]
    new = [(c, tag) for c in sorted(wanted) for tag in sorted(wanted[c] - set(present[c]))]
    for tag in sorted({tag for _, tag in lost}):
        await db.execute(
            """DELETE FROM customer_tags
               WHERE workspace_id = :workspace AND tag = :tag AND customer_id IN :customers""",
            workspace=workspace_id,
            tag=tag,
            customers=[customer for customer, name in lost if name == tag],
        )
    await db.insert_many(
        "customer_tags",
        [{"workspace_id": workspace_id, "customer_id": customer, "tag": tag} for customer, tag in new],
        then="ON CONFLICT (workspace_id, customer_id, tag) DO NOTHING",
    )
    return {customer for customer, _ in lost} | {customer for customer, _ in new}
