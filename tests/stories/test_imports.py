"""Files come in that can be trusted: any format, said beforehand, measured, corrected, and undone."""

import csv
import io
from datetime import datetime
from typing import Any

import pytest

from api.ids import global_id, row_id
from domain import db, timekeeping
from domain.access import Role
from domain.customers import Customer, ImportReport
from domain.runs import Run, RunState
from tests.stories.importing import (
    RUN,
    as_csv,
    as_json_lines,
    download,
    ended,
    faults,
    imported,
    workbook,
)
from tests.stories.stage import Stage

ORDERS = [
    ["order_id", "customer_id", "ordered_at", "amount", "quantity"],
    ["O-1", "C-1", "2025-02-01", "10.5", "1"],
    ["O-2", "C-2", "2025-02-02T10:00:00+08:00", "7", "2"],
    ["O-3", "C-1", "x", "1", "1"],
    ["O-1", "C-1", "2025-02-03", "1", "1"],
]
STORED = """{ customers(first: 20) { nodes { externalId name phone email tags version
  orders(first: 20) { nodes { externalId amount { amount } quantity orderedAt } } } } }"""


async def stored(stage: Stage) -> list[dict[str, Any]]:
    nodes = (await stage.owner.ask(STORED))["customers"]["nodes"]
    for node in nodes:
        node["orders"] = sorted(node["orders"]["nodes"], key=lambda order: order["externalId"])
    return sorted(nodes, key=lambda node: node["externalId"])


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl", "orders.xlsx"])
async def test_the_same_rows_come_to_the_same_in_every_format(stage: Stage, name: str) -> None:
    if name.endswith("csv"):
        content: str | bytes = as_csv(ORDERS)
    elif name.endswith("jsonl"):
        content = as_json_lines(ORDERS)
    else:
        table: list[list[Any]] = [list(row) for row in ORDERS]
        table[1][2:] = [datetime(2025, 2, 1), 10.5, 1]  # cells of Excel's own kinds
        content = workbook(table)
    run = await imported(stage, "orders", name, content)
    assert (run["state"], run["figures"]["created"], run["figures"]["rejected"]) == ("SUCCEEDED", 2, 2)
    first = 1 if name.endswith("jsonl") else 2  # JSON Lines have no header
    assert faults(run) == [(first + 2, "ordered_at", "INVALID"), (first + 3, "order_id", "DUPLICATE")]
    found = await stored(stage)
    assert [(one["externalId"], [order["externalId"] for order in one["orders"]]) for one in found] == [
        ("C-1", ["O-1"]),
        ("C-2", ["O-2"]),
    ]
    (order,) = found[0]["orders"]
    assert (order["amount"]["amount"], order["quantity"]) == ("10.50", 1)
    assert datetime.fromisoformat(order["orderedAt"]) == datetime.fromisoformat("2025-02-01T00:00+08:00")
    assert run["progress"]["perSecond"] > 0


async def test_a_line_that_is_no_json_is_one_bad_row_and_an_unknown_key_refuses_the_file(
    stage: Stage,
) -> None:
    lines = (
        '{"customer_id": "C-1", "tags": ["a", "b"]}\nnonsense\n[1]\n\n{"customer_id": "C-2", "name": null}\n'
    )
    run = await imported(stage, "customers", "c.jsonl", lines)
    assert (run["state"], run["figures"]["created"]) == ("SUCCEEDED", 2)
    assert faults(run) == [(2, None, "INVALID"), (3, None, "INVALID")]
    assert [one["tags"] for one in await stored(stage)] == [["a", "b"], []]
    run = await imported(stage, "customers", "c.jsonl", '{"customer_id": "C-3"}\n{"secret 138": 1}\n')
    assert (run["state"], run["errorCode"]) == ("FAILED", "IMPORT_HEADER")
    assert "line 2, key 1" in run["errors"][0]["message"]
    assert "138" not in str(run)
    assert len(await stored(stage)) == 2


@pytest.mark.parametrize("content", [b"PK\x03\x04 no workbook", b"", workbook([])])
async def test_what_is_no_workbook_is_refused_whole(stage: Stage, content: bytes) -> None:
    run = await imported(stage, "customers", "c.xlsx", content)
    assert run["state"] == "FAILED"
    assert run["errorCode"] in ("IMPORT_FORMAT", "IMPORT_EMPTY")
    assert await stored(stage) == []


async def test_a_workbook_that_unpacks_to_too_much_is_not_unpacked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.customers.workbooks.LARGEST_HELD", 500)
    run = await imported(stage, "customers", "c.xlsx", workbook([["customer_id"], ["C-1"]]))
    assert (run["state"], run["errorCode"]) == ("FAILED", "IMPORT_FORMAT")
    assert "too large" in run["errors"][0]["message"]
    assert await stored(stage) == []


PEOPLE = (
    "customer_id,name,phone,email,registered_at\n"
    "C-1,Ann,138 0013 8000,Ann@Example.COM,2024-01-01\n"
    "C-2,Bob,12345,bob@example.com,2024-01-01\n"
    "C-3,Cy,+1 650-253-0000,not an address,2024-13-01\n"
    ",Di,,,\n"
)


async def test_fields_that_will_not_do_are_left_out_where_that_is_the_policy(stage: Stage) -> None:
    run = await imported(stage, "customers", "c.csv", PEOPLE, policy="IGNORE_FAILED")
    assert run["state"] == "SUCCEEDED"
    figures = run["figures"]
    assert (figures["created"], figures["partial"], figures["rejected"]) == (3, 2, 1)
    assert faults(run) == [
        (3, "phone", "INVALID"),
        (4, "email", "INVALID"),
        (4, "registered_at", "INVALID"),
        (5, "customer_id", "REQUIRED"),
    ]
    assert [(one["name"], one["phone"], one["email"]) for one in await stored(stage)] == [
        ("Ann", "+8613800138000", "Ann@example.com"),
        ("Bob", None, "bob@example.com"),
        ("Cy", "+16502530000", None),
    ]
    # A row without its optional fields is accurate; one without its key is not (C-46).
    assert (run["importReport"]["rows"], run["importReport"]["inaccurate"]) == (4, 1)


async def test_a_mandatory_field_takes_its_row_with_it_under_every_policy(stage: Stage) -> None:
    for policy in ("IGNORE_FAILED", "REJECT_FAILED_ROWS"):
        run = await imported(stage, "customers", "c.csv", PEOPLE, policy=policy, mandatory=["phone"])
        assert faults(run)[0] == (3, "phone", "INVALID")
        assert "C-2" not in [one["externalId"] for one in await stored(stage)]
        assert run["importReport"]["inaccurate"] == 2
    refused = await stage.owner.refused(
        "mutation ($input: ImportInput!) { customersImport(input: $input) { __typename "
        "... on Refusal { userErrors { code field } } } }",
        input={"fileId": await stage.owner.upload("c.csv", b""), "mandatory": ["shoe_size"]},
    )
    assert refused == [{"code": "INVALID", "field": ["input", "mandatory"]}]


async def test_each_field_is_merged_as_it_is_told(stage: Stage) -> None:
    before = "customer_id,name,company,phone,email,tags\nC-1,Old,,13800138000,old@example.com,old\nC-2,,,,,\n"
    after = (
        "customer_id,name,company,phone,email,tags\n"
        "C-1,New,Newco,13900139000,,new\nC-2,New,Newco,13900139000,new@example.com,new\n"
    )
    await imported(stage, "customers", "c.csv", before)
    merge = [
        {"column": "name", "rule": "KEEP"},
        {"column": "phone", "rule": "FILL"},
        {"column": "tags", "rule": "FILL"},
    ]
    run = await imported(stage, "customers", "c.csv", after, merge=merge)
    assert (run["figures"]["updated"], run["figures"]["unchanged"]) == (2, 0)
    one, two = await stored(stage)
    assert (one["name"], one["phone"], one["email"], one["tags"]) == (
        "Old",
        "+8613800138000",
        "old@example.com",
        ["old"],
    )
    assert (two["name"], two["phone"], two["email"], two["tags"]) == (
        None,
        "+8613900139000",
        "new@example.com",
        ["new"],
    )
    again = await imported(stage, "customers", "c.csv", after, merge=merge)
    assert (again["figures"]["updated"], again["figures"]["unchanged"]) == (0, 2)


async def test_merging_into_the_key_or_nowhere_is_refused_and_nothing_is_queued(stage: Stage) -> None:
    for column in ("order_id", "nowhere"):
        refused = await stage.owner.refused(
            "mutation ($input: ImportInput!) { ordersImport(input: $input) { __typename "
            "... on Refusal { userErrors { code field } } } }",
            input={
                "fileId": await stage.owner.upload("o.csv", b"order_id\n"),
                "merge": [{"column": column, "rule": "KEEP"}],
            },
        )
        assert refused == [{"code": "INVALID", "field": ["input", "merge"]}]
    assert await Run.all().count() == 0


async def test_a_dry_run_answers_as_the_real_one_and_stores_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.customers.importing.BATCH", 2)
    await imported(stage, "orders", "o.csv", as_csv([*ORDERS[:2], ["O-9", "C-9", "2025-02-01", "1", "1"]]))
    before = await stored(stage)
    rows = as_csv([*ORDERS, ["O-9", "C-1", "2025-02-01", "1", "1"], ["O-4", "C-2", "2025-02-01", "1", "1"]])
    tried = await imported(stage, "orders", "o.csv", rows, dryRun=True)
    assert tried["state"] == "SUCCEEDED"
    assert await stored(stage) == before
    assert tried["importReport"]["dryRun"]
    real = await imported(stage, "orders", "o.csv", rows)
    assert (tried["result"], faults(tried)) == (real["result"], faults(real))
    assert {**tried["importReport"], "dryRun": False, "errorFile": None} == {
        **real["importReport"],
        "errorFile": None,
    }
    assert real["figures"] == {
        "rows": 6,
        "created": 2,
        "updated": 1,
        "unchanged": 1,
        "rejected": 2,
        "partial": 0,
        "customers_created": 1,
    }


async def test_bad_rows_come_back_as_a_file_that_can_be_corrected_and_sent_again(stage: Stage) -> None:
    rows = (
        "customer_id,name,company,phone\n"
        "C-1,Ann,=1+1,13800138000\n"
        "C-2,'=quoted,=2+2,12\n"
        'C-3,"two\nlines",-x,nope\n'
        "C-1,Again,,\n"
    )
    run = await imported(stage, "customers", "people.csv", rows)
    assert run["figures"]["created"] == 1
    file = run["importReport"]["errorFile"]
    assert file["name"] == "people-errors.csv"
    status, text = await download(stage, stage.owner, file["url"])
    assert (status, len(text.encode("utf-8-sig"))) == (200, file["sizeBytes"])
    header, *bad = csv.reader(io.StringIO(text, newline=""))
    assert header == ["customer_id", "name", "company", "phone", "import_errors"]
    assert [row[:4] for row in bad] == [
        ["C-2", "''=quoted", "'=2+2", "12"],
        ["C-3", "two\nlines", "'-x", "nope"],
        ["C-1", "Again", "", ""],
    ]
    assert [row[4].split(":")[0] for row in bad] == ["line 3", "line 4", "line 6"]
    assert "phone is not a telephone number in CN" in bad[0][4]
    for role, allowed in ((Role.ANALYST, 404), (Role.EXECUTOR, 404), (Role.PLANNER, 200)):
        assert (await download(stage, stage[role], file["url"]))[0] == allowed, role

    bad[0][3] = bad[1][3] = "13900139000"
    again = await imported(stage, "customers", file["name"], as_csv([header, *bad]))
    assert (again["figures"]["created"], again["figures"]["updated"]) == (2, 1)
    assert again["importReport"]["errorFile"] is None
    named = {one.external_id: (one.name, one.company) for one in await Customer.all()}
    assert named == {"C-1": ("Again", "=1+1"), "C-2": ("'=quoted", "=2+2"), "C-3": ("two\nlines", "-x")}


def sheet(rows: int, bad: int) -> str:
    """Orders of which some have no customer."""
    lines = [f"O-{n},{'' if n < bad else 'C-1'},2025-02-01,{n % 7}.50" for n in range(rows)]
    return "\n".join(["order_id,customer_id,ordered_at,amount", *lines]) + "\n"


async def test_a_30_the_gate_counts_whole_rows_and_never_rounds_up(stage: Stage) -> None:
    """A-30, S4-119: 98 % to the row are accepted, one row less is not."""
    refused = await imported(stage, "orders", "o.csv", sheet(2000, 41), qualityGate=True)
    assert (refused["state"], refused["errorCode"]) == ("FAILED", "IMPORT_QUALITY")
    assert (refused["importReport"]["accuracy"], refused["importReport"]["accepted"]) == (97.95, False)
    assert refused["importReport"]["brokenRules"] == [
        {"column": "customer_id", "code": "REQUIRED", "count": 41}
    ]
    assert refused["rowErrors"]["totalCount"] == 41
    assert await stored(stage) == []
    taken = await imported(stage, "orders", "o.csv", sheet(2000, 40), qualityGate=True)
    assert (taken["state"], taken["figures"]["created"], taken["figures"]["rejected"]) == (
        "SUCCEEDED",
        1960,
        40,
    )
    assert (taken["importReport"]["accuracy"], taken["importReport"]["accepted"]) == (98.0, True)
    assert taken["rowErrors"]["totalCount"] == 40
    # The catalogue's own numbers, as the report of a run of two million rows.
    for inaccurate, accuracy, accepted in ((40_000, 98.0, True), (40_001, 97.99995, False)):
        async with db.transaction():
            run = await Run.create(
                workspace_id=stage.house.id,
                kind="orders_import",
                queue="default",
                state=RunState.SUCCEEDED,
                args={},
                errors=[],
                run_at=timekeeping.machine_now(),
                queued_at=timekeeping.machine_now(),
                started_by="user:1",
            )
            await ImportReport.create(
                workspace_id=stage.house.id,
                run_id=run.id,
                rows=2_000_000,
                inaccurate=inaccurate,
                repeated=0,
                figures=[],
                created_at=timekeeping.machine_now(),
            )
        found = (await stage.owner.ask(RUN, id=global_id("Run", run.id)))["run"]["importReport"]
        assert (found["accuracy"], found["accepted"]) == (accuracy, accepted)


async def test_the_report_says_how_full_the_columns_are_and_what_lies_far_out(stage: Stage) -> None:
    lines = [f"O-{n},C-1,2025-02-01,{90 + n % 20},{'3' if n % 3 else ''}" for n in range(99)]
    lines[7] = "O-7,C-1,2025-02-01,9000000,"
    lines.append("O-1,C-1,2025-02-01,90,")
    run = await imported(
        stage, "orders", "o.csv", "\n".join(["order_id,customer_id,ordered_at,amount,quantity", *lines])
    )
    report = run["importReport"]
    assert (report["rows"], report["inaccurate"], report["repeated"], report["accuracy"]) == (100, 1, 1, 99.0)
    columns = {each["name"]: each for each in report["columns"]}
    assert (columns["amount"]["filled"], columns["amount"]["outliers"]) == (100, 1)
    assert (columns["quantity"]["completeness"], columns["quantity"]["outliers"]) == (65.0, 0)
    assert columns["order_id"]["outliers"] is None


async def test_events_come_in_once_and_end_a_silence(stage: Stage) -> None:
    rows = (
        "event_id,customer_id,name,occurred_at,data\n"
        'E-1,C-1,login,2025-02-01T10:00:00Z,"{""page"": 3}"\n'
        "E-2,C-1,login,2025-02-03T10:00:00Z,\n"
        "E-3,C-2,login,2025-02-02T10:00:00Z,[1]\n"
    )
    run = await imported(stage, "events", "e.csv", rows)
    assert (run["figures"]["created"], run["figures"]["customers_created"], faults(run)) == (
        2,
        1,
        [(4, "data", "INVALID")],
    )
    customer = await Customer.get(external_id="C-1")
    assert customer.last_interaction_at == datetime.fromisoformat("2025-02-03T10:00:00Z")
    again = await imported(stage, "events", "e.csv", rows.replace("E-2,C-1,login", "E-2,C-1,click"))
    assert (again["figures"]["unchanged"], again["figures"]["created"]) == (1, 0)
    assert faults(again)[0] == (3, "event_id", "DUPLICATE")
    found = await stage.owner.ask(
        '{ customer(externalId: "C-1") { events(first: 9) { nodes { externalId name } } } }'
    )
    assert len(found["customer"]["events"]["nodes"]) == 2


UNDO = """mutation ($id: ID!) { importUndo(id: $id) { __typename ... on ImportUndoPayload { run { id } }
  ... on Refusal { userErrors { code message } } } }"""


async def test_an_import_is_undone_but_for_what_was_changed_since(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.customers.importing.BATCH", 2)
    await imported(stage, "orders", "o.csv", as_csv([*ORDERS[:2]]))
    await imported(stage, "customers", "c.csv", "customer_id,name,tags\nC-1,Ann,a;b\n")
    before = await stored(stage)
    rows = as_csv(
        [
            ORDERS[0],
            ["O-1", "C-5", "2025-02-09", "99", "4"],
            ["O-5", "C-1", "2025-02-01", "1", "1"],
            ["O-6", "C-6", "2025-02-01", "1", "1"],
            ["O-7", "C-7", "2025-02-01", "1", "1"],
        ]
    )
    run = await imported(stage, "orders", "o.csv", rows)
    people = await imported(stage, "customers", "c.csv", "customer_id,name,tags\nC-1,Eve,z\nC-8,New,\n")
    order = (await stage.owner.ask('{ customer(externalId: "C-7") { orders { nodes { id } } } }'))["customer"]
    await stage.owner.do(
        "mutation ($id: ID!) { orderStatusSet(id: $id, status: DELIVERED) { __typename } }",
        id=order["orders"]["nodes"][0]["id"],
    )
    done = await stage.owner.do(UNDO, id=run["id"])
    undone = await ended(stage, stage.owner, done["run"]["id"])
    assert undone["figures"] == {"removed": 4, "restored": 1, "kept": 2}
    assert sorted((error["line"], error["code"]) for error in undone["rowErrors"]["nodes"]) == [
        (5, "CONFLICT"),
        (5, "CONFLICT"),
    ]
    await ended(stage, stage.owner, (await stage.owner.do(UNDO, id=people["id"]))["run"]["id"])
    kept = [one for one in await stored(stage) if one["externalId"] != "C-7"]
    assert [{**one, "version": 0} for one in kept] == [{**one, "version": 0} for one in before]
    customer = await Customer.get(external_id="C-1")
    assert (customer.order_count, customer.order_total_minor) == (1, 1050)
    again = await ended(stage, stage.owner, (await stage.owner.do(UNDO, id=run["id"]))["run"]["id"])
    assert again["figures"] == {"removed": 0, "restored": 0, "kept": 0}


async def test_what_is_no_import_or_changed_nothing_cannot_be_undone(stage: Stage) -> None:
    empty = await imported(stage, "orders", "o.csv", ",".join(ORDERS[0]) + "\n")
    tried = await imported(stage, "orders", "o.csv", as_csv(ORDERS), dryRun=True)
    count = await Run.all().count()
    for run_id, code in ((empty["id"], "CONFLICT"), (tried["id"], "CONFLICT"), ("x", "NOT_FOUND")):
        refused = await stage.owner.refused(UNDO, id=run_id)
        assert refused[0]["code"] == code
    assert await Run.all().count() == count
    assert row_id("Run", empty["id"]) != row_id("Run", tried["id"])
