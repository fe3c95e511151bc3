"""Random queries get the same answer from a compiled plan as from graphql-core."""

import os
from collections import Counter
from datetime import timedelta
from random import Random

from api.schema import schema
from domain import customers
from domain.access import Role
from tests import doubling
from tests.api.conftest import ask_for_result
from tests.api.engine.generating import Names, Query, cursors_in
from tests.conftest import NOON, House
from tests.security.filling import an_id_of_each_type, fill

COUNT = int(os.environ.get("CARELINE_GENERATED", "120"))
"""How many for each database."""
SEED = int(os.environ.get("SEED", "1"))
ROLES = (Role.OWNER, Role.OWNER, Role.ANALYST, Role.EXECUTOR)


async def test_random_queries_get_the_same_answer_on_both_paths(house: House) -> None:
    await fill(house)
    await customers.upsert(house.owner, "C-😀", name="Zoë 😀\u200d", tags=["ä", "b"])
    for number in range(5):
        await customers.record_order(
            house.owner,
            f"M-{number}",
            customer_external_id="C-1",
            ordered_at=NOON - timedelta(days=number, microseconds=number * 100_000 + 1),
            amount_minor=1_234 + number,
        )
    random = Random(SEED)
    names = Names([*(await an_id_of_each_type(house)).values(), "nonsense"])
    before = doubling.reads.copy()
    outcomes: Counter[str] = Counter()
    for _ in range(COUNT):
        query = Query(schema._schema, random, names)
        schema.engine.reruns.forget()
        result = await ask_for_result(query.text, house.staff[random.choice(ROLES)], query.variables)
        names.cursors += cursors_in(result.data)
        outcomes["failed" if result.errors else "answered"] += 1
        for error in result.errors or ():
            assert "is not valid" not in error.message and "Syntax" not in error.message, query.text
    compiled = doubling.reads["compiled"] - before["compiled"]
    assert outcomes["answered"] > COUNT / 4, outcomes
    assert compiled == outcomes["answered"], "what can be answered is compiled"
