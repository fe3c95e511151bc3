"""What is personal stays where it belongs: not in journal, runs or logs, and masked for those not concerned."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api import logs
from api.ids import global_id, row_id
from domain import db, runs, tracing
from domain.access import Role
from domain.customers import Customer
from domain.files import File
from domain.runs import Run
from domain.settings import LogStyle, Settings
from tests.security import surface
from tests.security.canaries import CANARY, PERSONAL, canaries_in, fly, log, told
from tests.security.conftest import Place, on_sqlite
from tests.security.filling import perform
from tests.security.rows import differences, snapshot
from tests.security.test_roles import codes

__all__ = ["log", "told"]
"""Fixtures, which pytest finds in the module that uses them."""

UNMASKED = {"Task.title", "Task.script", "Campaign.taskTitle", "Campaign.script", "Report.title"}
"""Instructions and headings are written for all staff to read. Nothing else may be added here."""

PAPERS = ("journal", "runs", "row_errors", "idempotency_keys", "feeds", "parked_lines", "setting_versions")


async def test_no_canary_sits_in_journal_runs_row_errors_or_keys(told: Place) -> None:
    rows = await snapshot()
    assert {"C-20", "C-9"} <= {
        row["external_id"] for row in await db.rows("SELECT external_id FROM customers")
    }
    assert len(rows["row_errors"]) >= 2
    assert len(rows["idempotency_keys"]) == 5
    for table in PAPERS:
        for row in rows[table]:
            found = canaries_in(json.dumps(row, ensure_ascii=False))
            # What a report is to be called, its run must know; it is nobody's data.
            allowed = ["title"] if table == "runs" and "report_build" in row else []
            assert found in ([], allowed), (table, row)


async def test_no_canary_is_logged_or_told_when_something_breaks(
    told: Place, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = " ".join(CANARY.values())

    async def broken(*_: Any, **__: Any) -> None:
        try:
            raise ValueError(secret)
        except ValueError as error:
            raise RuntimeError(secret) from error

    kind = runs.work.kinds["kpi_snapshot"]
    monkeypatch.setitem(runs.work.kinds, "kpi_snapshot", type(kind)(kind.name, broken))
    made = (await told.owner.done("kpiSnapshot", {}))["run"]["id"]
    await perform(await Run.get(id=row_id("Run", made)))
    run = await Run.get(id=row_id("Run", made))
    assert run.errors[0]["code"] == "INTERNAL"
    assert canaries_in(json.dumps(run.errors, ensure_ascii=False)) == []
    monkeypatch.setattr(Customer, "find", broken)
    given = told.valid("interactionRecord")
    given["input"]["note"] = CANARY["note"]
    for name in ("customer", "interactionRecord"):
        call = (
            ("query", name, {"id": told.ids["Customer"]}) if name == "customer" else ("mutation", name, given)
        )
        answer = await told.owner.call(*call, depth=1)
        assert codes(answer) == ["INTERNAL"]
        assert canaries_in(json.dumps(answer, ensure_ascii=False)) == []
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert {line["event"] for line in lines} >= {"run_failed", "unexpected_error"}
    assert all(
        "ValueError" in line["exception"] and "in broken" in line["exception"]
        for line in lines
        if "exception" in line
    )
    assert canaries_in(log.getvalue().encode().decode("unicode_escape")) == []


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    with tracing.telling(Settings(), kept):
        yield kept


async def test_no_canary_is_told_to_a_trace(
    spans: InMemorySpanExporter, client: httpx2.AsyncClient, log: io.StringIO
) -> None:
    with tracing.span("around all of it"):  # also the runs' statements
        await fly(client)
    told = spans.get_finished_spans()
    texts = " ".join(span.to_json(indent=None) for span in told).encode().decode("unicode_escape")
    for part in ("INSERT INTO", "POST /graphql", "mutation", "run report_build", "run customers_import"):
        assert part in texts, part
    assert canaries_in(texts) == []


@on_sqlite
async def test_a_refusal_does_not_quote_what_it_refuses(told: Place, log: io.StringIO) -> None:
    long = " ".join(CANARY.values()) * 60
    for name, path in (
        ("customerUpsert", "name"),
        ("customerUpsert", "company"),
        ("customerUpsert", "phone"),
        ("customerUpsert", "email"),
        ("leadRecord", "phone"),
        ("interactionRecord", "note"),
        ("taskComplete", "note"),
        ("taskCreate", "title"),
        ("campaignCreate", "taskTitle"),
        ("reportBuild", "title"),
    ):
        given = told.valid(name)
        given["input"] |= {path: long}
        answer = await told.owner.call("mutation", name, given)
        assert answer["data"][name]["userErrors"], (name, path)
        assert canaries_in(json.dumps(answer, ensure_ascii=False)) == [], (name, path)
    assert canaries_in(log.getvalue()) == []


def walked(value: Any, kind: Any, found: dict[str, set[str]]) -> None:
    """Collect, by Type.field, which canaries an answer shows; the type of each object is in the answer."""
    if isinstance(value, list):
        for item in value:
            walked(item, kind, found)
    elif isinstance(value, dict):
        for name, inner in value.items():
            walked(inner, f"{value.get('__typename')}.{name}", found)
    elif isinstance(value, str):
        for name in canaries_in(value):
            found.setdefault(kind, set()).add(name)


async def everything(place: Place, role: Role) -> dict[str, set[str]]:
    """Every query and every object, as deep as a request may go, and the canaries that were seen where."""
    found: dict[str, set[str]] = {}
    caller = place.callers[role]
    for name, field in surface.root("query").fields.items():
        if role.value in (surface.allowed(field) or ()):
            for depth in (3, 2, 1):
                answer = await caller.call("query", name, place.valid(name), depth=depth)
                if codes(answer) != ["LIMITED"]:
                    break
            assert codes(answer) == [], (name, answer["errors"])
            walked(answer["data"], "Query", found)
    for table, kind in (
        ("customers", "Customer"),
        ("tasks", "Task"),
        ("interactions", "Interaction"),
        ("need_profiles", "NeedProfile"),
        ("customer_merges", "CustomerMerge"),
        ("runs", "Run"),
        ("campaigns", "Campaign"),
        ("reports", "Report"),
    ):
        rows = await db.rows(f"SELECT id FROM {table} WHERE workspace_id = :home", home=place.house.id)
        for row in rows:
            for depth in (2, 1):
                fields = surface.selection(surface.SDL.type_map[kind], depth)
                text = f"query ($id: ID!) {{ node(id: $id) {{ ... on {kind} {fields} }} }}"
                answer = await caller.say(text, id=global_id(kind, row["id"]))
                if codes(answer) != ["LIMITED"]:
                    break
            assert codes(answer) == [], answer
            walked(answer["data"], "Query", found)
    return found


@on_sqlite
async def test_analysts_and_support_see_no_canary_in_any_field_of_the_schema(told: Place) -> None:
    seen = await everything(told, Role.OWNER)
    assert {name for names in seen.values() for name in names} == set(CANARY)
    assert {"Customer.name", "Customer.phone", "Interaction.note", "TaskOutcome.note"} <= set(seen)
    for role in (Role.ANALYST, Role.SUPPORT):
        shown = await everything(told, role)
        assert set(shown) <= UNMASKED, (role, shown)
        assert not {name for names in shown.values() for name in names} & set(PERSONAL), (role, shown)


@on_sqlite
async def test_a_file_with_personal_data_is_not_for_those_who_see_it_masked(told: Place) -> None:
    before = await snapshot()
    seen = []
    for file in await File.filter(workspace_id=told.house.id):
        for role in Role:
            path = f"/files/{global_id('File', file.id)}"
            answer = await told.client.get(path, headers=told.callers[role].headers)
            shown = canaries_in(answer.text, *PERSONAL)
            assert not shown or told.house.staff[role].sees_personal, (file.name, role)
            seen += shown
            assert answer.status_code == 200 or (
                answer.status_code == 404 and file.purpose in ("upload", "row_errors")
            )
    assert {"name", "phone", "email"} <= set(seen)
    assert differences(before, await snapshot()) == {}


@on_sqlite
@pytest.mark.parametrize("role", [Role.ANALYST, Role.SUPPORT])
async def test_a_filter_or_an_order_does_not_tell_what_the_mask_hides(told: Place, role: Role) -> None:
    caller = told.callers[role]
    text = "query ($where: CustomerWhere) { customers(where: $where) { totalCount } }"
    secret = CANARY["name"]
    for condition in ({"eq": secret}, {"in": [secret]}, {"startsWith": secret[:3]}, {"contains": secret[3:]}):
        for where in (
            {"name": condition},
            {"not": {"name": condition}},
            {"or": [{"and": [{"name": condition}]}]},
        ):
            answer = await caller.say(text, where=where)
            assert codes(answer) == ["FORBIDDEN"], where
            assert not answer.get("data")
    filtered = {
        leaf.path[1]
        for leaf in surface.leaves(surface.root("query").fields["customers"])
        if leaf.path[0] == "where"
    }
    open_to_all = {"externalId", "name", "owner", "tag", "registeredAt"}
    open_to_all |= {"lifecycleStage", "valueLevel", "rfmTier", "segment"}
    assert filtered == open_to_all, "may this one be asked by all?"
    orders = surface.SDL.type_map["CustomerOrder"].values
    assert set(orders) == {"EXTERNAL_ID", "REGISTERED_AT", "CREATED_AT"}, "an order tells what a mask hides"


async def test_what_the_libraries_log_is_told_without_the_values_put_into_it(log: io.StringIO) -> None:
    formatter = structlog.stdlib.ProcessorFormatter
    made: list[logging.Handler] = []
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        logs.configure(LogStyle.JSON)
        made = list(root.handlers)
        assert [type(handler.formatter) for handler in made] == [formatter]
        try:
            raise ValueError(CANARY["phone"])
        except ValueError:
            record = logging.LogRecord(
                "tortoise", logging.ERROR, "x.py", 1, "cannot store %s", (CANARY["name"],), sys.exc_info()
            )
        line = json.loads(made[0].format(record))
    finally:
        root.handlers = before
    assert (line["event"], line["logger"], line["level"]) == ("cannot store %s", "tortoise", "error")
    assert "ValueError" in line["exception"]
    assert canaries_in(json.dumps(line, ensure_ascii=False)) == []
