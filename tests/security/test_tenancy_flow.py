"""What flows past a client, cursors, changes, files and figures, stays in its workspace too."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx2
from graphql import get_named_type

from api import live
from api.context import Context
from api.ids import global_id
from api.schema import schema
from domain import alerts, customers, feeds, files, kpis, nudges, runs, segments
from domain.access import Principal
from domain.customers import LeadSource
from domain.predictions import PredictionModel
from tests.conftest import NOON
from tests.security import surface
from tests.security.calls import type_of_id, valid
from tests.security.conftest import Place, on_sqlite, settle_in
from tests.security.filling import NEVER, perform
from tests.security.rows import differences, snapshot

QUERIES = surface.root("query").fields


@asynccontextmanager
async def subscribed(who: Principal, name: str, **given: Any) -> AsyncIterator[Any]:
    stream: Any = await schema.subscribe(
        surface.document("subscription", name, given, 1), given, context_value=Context(who)
    )
    try:
        yield stream
    finally:
        await stream.aclose()


def connections() -> list[str]:
    return [name for name, field in QUERIES.items() if str(get_named_type(field.type)).endswith("Connection")]


async def foretold(place: Place, at: datetime) -> None:
    """A published model: nobody here has customers enough to have one fitted."""
    workspace_id = place.house.id
    run = await runs.enqueue(place.house.admin, "prediction_refit")
    whole = ("resolution_days", "customers", "repeaters", "starts", "agreeing", "spenders", "clv_years")
    real = (
        "r",
        "alpha",
        "a",
        "b",
        "log_likelihood",
        "p",
        "q",
        "gamma",
        "spending_log_likelihood",
        "clv_rate",
    )
    await PredictionModel.create(
        workspace_id=workspace_id,
        run_id=run.id,
        number=1,
        as_of=at,
        computed_at=at,
        converged=True,
        spending_converged=True,
        **dict.fromkeys((*whole, *real), 1),
    )


async def whole(place: Place) -> dict[str, Any]:
    """Every query as our owner sees it, with counts of everything; ids and figures included."""
    seen: dict[str, Any] = {}
    for name in QUERIES:
        answer = await place.owner.call("query", name, valid(name, place.ids), depth=1 + (name != "customer"))
        assert "errors" not in answer, (name, answer["errors"])
        seen[name] = answer["data"][name]
    return seen


async def test_counts_totals_and_figures_do_not_know_of_another_workspace(client: httpx2.AsyncClient) -> None:
    ours = await settle_in(client, "Ours")
    await ours.fill()
    await measure(ours)
    alone = await whole(ours)
    # One of the six was merged into another, and counts for no figure.
    assert (alone["customers"]["totalCount"], alone["dashboard"]["customers"]) == (6, 5)
    theirs = await settle_in(client, "Theirs")
    await theirs.fill()
    assert await whole(ours) == alone
    # Measured anew beside them, the figures are what they were.
    await measure(ours)
    again = await whole(ours)
    for name in ("totalCount", "memberCount", "customers", "numerator", "openTasks", "overdueTasks"):
        found = figures(alone, name)
        assert found and figures(again, name) == found, name


async def measure(place: Place) -> None:
    await perform(await segments.recompute(place.house.owner))
    await perform(await kpis.snapshot(place.house.owner))


def figures(seen: Any, name: str) -> list[Any]:
    """Every number of this name in an answer, in order; but our own runs and measurements may be more."""
    if isinstance(seen, list):
        return [value for item in seen for value in figures(item, name)]
    if not isinstance(seen, dict):
        return []
    own = [seen[name]] if isinstance(seen.get(name), int) else []
    inner = [item for field, item in seen.items() if field not in ("history", "runs")]
    return own + figures(inner, name)


APART = {"predictionModels": "computedAt", "customerDuplicates": "value"}
"""What tells those apart that have no id, or whose numbers are the same everywhere."""


@on_sqlite
async def test_a_cursor_of_another_workspace_opens_nothing(place: Place, stranger: Place) -> None:
    for days, home in enumerate((place, stranger)):
        await foretold(home, NOON + timedelta(days=days))
    for name in connections():
        if name == "feed":
            continue  # its cursors are those of the streams, which are refused
        own = APART.get(name, "id")
        text = f"query ($after: String) {{ {name}(first: 1, after: $after) {{ nodes {{ {own} }} pageInfo {{ endCursor }} }} }}"
        theirs = (await stranger.owner.say(text))["data"][name]
        assert theirs["nodes"], name
        told = await place.owner.say(text, after=theirs["pageInfo"]["endCursor"])
        everything = f"{{ {name}(first: 100) {{ nodes {{ {own} }} }} }}"
        mine = {node[own] for node in (await place.owner.say(everything))["data"][name]["nodes"]}
        assert {node[own] for node in told["data"][name]["nodes"]} <= mine, name


async def test_keys_of_the_client_are_looked_up_at_home(place: Place, stranger: Place) -> None:
    away = stranger.house.owner
    await customers.upsert(away, "ONLY-1")
    await customers.record_order(
        away, "ONLY-2", customer_external_id="ONLY-1", ordered_at=NOON, amount_minor=1
    )
    lead = {
        "customer_external_id": "ONLY-1",
        "source": LeadSource.OTHER,
        "acquired_at": NOON,
        "consent": False,
    }
    await customers.record_lead(away, "ONLY-3", **lead)
    theirs = await snapshot(stranger.house.id)
    text = '{ customer(externalId: "ONLY-1") { id } order(externalId: "ONLY-2") { id } lead(externalId: "ONLY-3") { id } }'
    assert (await place.owner.say(text))["data"] == {"customer": None, "order": None, "lead": None}
    # Recorded here, the same keys are other people's: theirs stay as they are.
    for name in ("customerUpsert", "orderRecord", "leadRecord", "eventRecord"):
        given = place.valid(name)
        given["input"]["externalId"] = "ONLY-1" if name == "customerUpsert" else "ONLY-2"
        if "customerExternalId" in given["input"]:
            given["input"]["customerExternalId"] = "ONLY-1"
        await place.owner.done(name, given)
    assert differences(theirs, await snapshot(stranger.house.id)) == {}


async def test_subscribers_see_nothing_while_another_workspace_changes(place: Place, stranger: Place) -> None:
    for home in (place, stranger):
        while await feeds.number(home.house.id):
            pass
    for name in surface.root("subscription").fields:
        async with subscribed(place.house.owner, name) as stream:
            first = asyncio.ensure_future(anext(stream))
            while not nudges.NEWS._listeners:
                await asyncio.sleep(0)
            await fill_more(stranger)
            await asyncio.sleep(0.05)
            assert not first.done(), (name, first.result())
            await fill_more(place)
            event = await asyncio.wait_for(first, 5)
            assert event.errors is None, event.errors
            assert await live.position(place.house.owner, event.data[name]["cursor"])


async def fill_more(home: Place) -> None:
    """A change for every topic: a task, a run, a measurement, a segment, an alert about a new customer."""
    await home.owner.done("taskCreate", home.valid("taskCreate"))
    owner, key = home.house.owner, secrets.token_hex(8)
    gone, _ = await customers.upsert(owner, key)
    long_ago = NOON - timedelta(days=alerts.ORDER_DAYS + 1)
    await customers.record_order(owner, key, customer_id=gone.id, ordered_at=long_ago, amount_minor=100)
    assert await alerts.evaluate(owner, [gone.id]) == 1
    await segments.create(owner, f"S_{key.upper()}", name_en=key, rule=None)
    await perform(await kpis.snapshot(home.house.owner))
    await feeds.number(home.house.id)


@on_sqlite
async def test_a_feed_cursor_of_another_workspace_is_refused(place: Place, stranger: Place) -> None:
    for home in (place, stranger):
        while await feeds.number(home.house.id):
            pass
    for name in surface.root("subscription").fields:
        line = (await feeds.lines_after(stranger.house.id, 0, 1))[0]
        stream: Any = await schema.subscribe(
            surface.document("subscription", name, {"after": ""}, 1),
            {"after": live.cursor(line)},
            context_value=Context(place.house.owner),
        )
        event = await anext(stream)
        assert event.errors[0].extensions["code"] == "BAD_REQUEST", name
        assert event.data is None
    text = f'{{ feed(after: "{live.cursor(line)}") {{ totalCount }} }}'
    assert (await place.owner.say(text))["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@on_sqlite
async def test_a_subscription_to_an_object_of_another_workspace_is_one_to_nothing(
    place: Place, stranger: Place
) -> None:
    for home in (place, stranger):
        while await feeds.number(home.house.id):
            pass
    places = [
        ("runChanged", "id"),
        *(
            ("taskChanged", leaf.name)
            for leaf in surface.leaves(surface.root("subscription").fields["taskChanged"])
            if leaf.scalar == "ID"
        ),
    ]
    start = live.cursor((await feeds.lines_after(place.house.id, 0, 1))[0])
    for name, path in places:
        leaf = next(
            one for one in surface.leaves(surface.root("subscription").fields[name]) if one.name == path
        )
        kind = type_of_id(name, leaf.path)
        for value, heard in (
            (place.ids[kind], True),
            (stranger.ids[kind], False),
            (global_id(kind, NEVER), False),
        ):
            given = surface.with_value({"after": start}, leaf, value)
            async with subscribed(place.house.owner, name, **given) as stream:
                first = asyncio.ensure_future(anext(stream))
                done, _ = await asyncio.wait([first], timeout=2 if heard else 0.05)
                assert bool(done) is heard, (name, path, value)
                first.cancel()
                await asyncio.wait([first])


@on_sqlite
async def test_files_and_what_runs_left_behind_stay_at_home(place: Place, stranger: Place) -> None:
    for file in await files.File.filter(workspace_id=stranger.house.id):
        path = f"/files/{global_id('File', file.id)}"
        never = await place.client.get(f"/files/{global_id('File', NEVER)}", headers=place.owner.headers)
        told = await place.client.get(path, headers=place.owner.headers)
        assert (
            (told.status_code, told.content)
            == (never.status_code, never.content)
            == (404, b'{"error":"no such file"}')
        )
        assert (await stranger.client.get(path, headers=stranger.owner.headers)).status_code == 200
    for run in await kpis_runs(stranger):
        text = "query ($id: ID!) { run(id: $id) { result { value } rowErrors { totalCount nodes { message } } } }"
        assert (await place.owner.say(text, id=run))["data"] == {"run": None}


async def kpis_runs(home: Place) -> list[str]:
    told = await home.owner.say("{ runs(first: 100) { nodes { id } } }")
    return [node["id"] for node in told["data"]["runs"]["nodes"]]
