"""Random queries get the same answer from a compiled plan as from graphql-core, and the same errors."""

import gc
import os
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import orjson
import pytest

from api.context import Context
from api.schema import schema
from domain import customers
from domain.access import Principal
from tests.api.engine.generating import Names, Query, cursors_in
from tests.api.engine.respelling import misspelled, respelled
from tests.conftest import NOON, House
from tests.security.filling import an_id_of_each_type, fill

COUNT = int(os.environ.get("CARELINE_GENERATED", "270"))
"""How many for each database; each is asked again with other values, and in two other spellings."""
SEED = int(os.environ.get("SEED", "1"))
TRIES = 3


def askers(house: House) -> list[Principal]:
    """Who may see everything most often; who may not see persons; and a key for a few operations."""
    owner = house.owner
    few = frozenset({"customers", "customer", "tasks", "node", "kpis"})
    return [owner, owner, owner, owner, *house.staff.values(), replace(owner, scopes=few)]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.one_path
# graphql-core leaves what it had begun beside a field that fails; the compiled path has neither of these.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <coroutine object (Executor|GraphQLCoreConverter)[.]"
)
async def test_random_queries_get_the_same_answer_on_both_paths(house: House) -> None:
    print(f"SEED={SEED} CARELINE_GENERATED={COUNT}")
    await prepared(house)
    random = Random(SEED)
    names = Names([*(await an_id_of_each_type(house)).values(), "nonsense"])
    outcomes: Counter[str] = Counter()
    who = askers(house)
    for _ in range(COUNT):
        query = Query(schema._schema, random, names)
        asker = random.choice(who)
        data = await same(query.text, query.variables, asker, outcomes, valid=True)
        names.cursors += cursors_in(data)
        # Its plan is known now: other values must not change it, and may be none that it takes.
        await same(query.text, changed(query.variables, random), asker, outcomes, valid=False)
        # What is written differently may be another document, or none.
        await same(respelled(query.text, random), query.variables, random.choice(who), outcomes, valid=True)
        await same(misspelled(query.text, random), query.variables, asker, outcomes, valid=False)
    gc.collect()  # what graphql-core left is this test's, not that of whichever comes next
    assert outcomes["answered"] > COUNT, outcomes
    assert outcomes["not GraphQL"] > COUNT / 10, outcomes
    assert outcomes["compiled"] == outcomes["answered"], "what can be answered is compiled"


def changed(variables: dict[str, Any], random: Random) -> dict[str, Any]:
    """Other values: null, another variable's, none at all, the other truth, or the same."""
    given = list(variables.values())
    ways = {name: random.random() for name in variables}
    changed = {
        name: None if ways[name] < 0.15 else random.choice(given) if ways[name] < 0.3 else value
        for name, value in variables.items()
        if ways[name] < 0.85
    }
    return {name: not value if isinstance(value, bool) else value for name, value in changed.items()}


async def same(
    text: str, variables: dict[str, Any], asker: Principal, outcomes: Counter[str], *, valid: bool
) -> Any:
    """Ask on both paths, and compare all that is said."""
    schema.engine.reruns.forget()
    for left in range(TRIES, 0, -1):  # what a query sees may change meanwhile, so a difference has to last
        before = schema.engine.paths.copy()
        found = await schema.execute(text, variables, Context(asker))
        paths = schema.engine.paths - before
        core = await schema.interpret(text, variables, Context(asker), None, None, None, None)
        if said(found) == said(core):
            break
        assert left > 1, f"{text!r}\n{variables}\n{dict(paths)}\n{said(found)}\ngraphql-core:\n{said(core)}"
    messages = [error.message for error in found.errors or ()]
    if valid:
        assert not any("is not valid" in each or "Syntax" in each for each in messages), (text, messages)
    outcomes["failed" if messages else "answered"] += 1
    outcomes["not GraphQL"] += any("Syntax" in each for each in messages)
    outcomes["compiled"] += paths["compiled"]
    return found.data


def said(result: Any) -> Any:
    """The whole answer as a client reads it, but for the number of an incident."""
    errors = [
        {**error.formatted, "extensions": {**(error.extensions or {}), "incident": None}}
        for error in result.errors or ()
    ]
    answer = {"data": result.data, "cost": (result.extensions or {}).get("cost")}
    return orjson.loads(orjson.dumps(answer)), sorted(errors, key=repr)


async def prepared(house: House) -> None:
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
