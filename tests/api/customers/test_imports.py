"""Imports, through the schema: asked for by file, followed as a run, with the rows not taken."""

import pytest

from api.ids import global_id, row_id
from domain import files, runs
from domain.access import Role
from domain.customers import Customer, Order
from domain.runs import Run
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import House, build_house

IMPORT = """mutation ($input: ImportInput!) { ordersImport(input: $input) { __typename
  ... on OrdersImportPayload { run { id kind state } } ... on Refusal { userErrors { code field } } } }"""
RUN = """query ($id: ID!, $after: String) { run(id: $id) { state errorCode errors { message }
  progress { done total unit } result { name value }
  rowErrors(first: 2, after: $after) { totalCount nodes { line column code message }
    pageInfo { hasNextPage endCursor } } } }"""
ROWS = "order_id,customer_id,ordered_at,amount\nO-1,C-1,2025-03-01,1\nO-2,C-1,x,1\nO-3,,2025-03-01,-1\n"


async def uploaded(house: House, content: str) -> str:
    file = await files.save(house.admin, "rows.csv", "text/csv", "upload", content.encode())
    return global_id("File", file.id)


async def test_an_import_is_a_run_that_lists_the_rows_it_did_not_take(ask: Ask, house: House) -> None:
    given = {"fileId": await uploaded(house, ROWS)}
    run = (await ask(IMPORT, input=given, who=house.staff[Role.PLANNER]))["ordersImport"]["run"]
    assert (run["kind"], run["state"]) == ("orders_import", "QUEUED")
    assert (await ask(IMPORT, input=given))["ordersImport"]["run"] == run
    assert await runs.perform(row_id("Run", run["id"]), "worker", 30)
    found = (await ask(RUN, id=run["id"]))["run"]
    assert (found["state"], found["progress"]) == ("SUCCEEDED", {"done": 3, "total": 3, "unit": "rows"})
    assert {entry["name"]: entry["value"] for entry in found["result"]} == {
        "rows": "3",
        "created": "1",
        "updated": "0",
        "unchanged": "0",
        "rejected": "2",
        "partial": "0",
        "customers_created": "1",
    }
    errors = found["rowErrors"]
    assert (errors["totalCount"], errors["pageInfo"]["hasNextPage"]) == (3, True)
    assert [(error["line"], error["column"]) for error in errors["nodes"]] == [
        (3, "ordered_at"),
        (4, "customer_id"),
    ]
    rest = (await ask(RUN, id=run["id"], after=errors["pageInfo"]["endCursor"]))["run"]["rowErrors"]
    assert rest["nodes"] == [
        {"line": 4, "column": "amount", "code": "INVALID", "message": "amount is negative"}
    ]


async def test_a_rejected_import_is_a_failed_run(ask: Ask, house: House) -> None:
    given = {"fileId": await uploaded(house, ROWS), "policy": "REJECT_EVERYTHING"}
    run = (await ask(IMPORT, input=given))["ordersImport"]["run"]
    await runs.perform(row_id("Run", run["id"]), "worker", 30)
    found = (await ask(RUN, id=run["id"]))["run"]
    assert (found["state"], found["errorCode"], found["result"]) == ("FAILED", "IMPORT_REJECTED", None)
    assert found["errors"] == [{"message": "2 of 3 rows will not do; none is taken"}]
    assert (await Order.all().count(), await Customer.all().count()) == (0, 0)


async def test_unknown_customers_may_be_kept_out(ask: Ask, house: House) -> None:
    document = """mutation ($input: ImportInput!) { ordersImport(input: $input, createCustomers: false) {
      ... on OrdersImportPayload { run { id } } } }"""
    run = (await ask(document, input={"fileId": await uploaded(house, ROWS)}))["ordersImport"]["run"]
    await runs.perform(row_id("Run", run["id"]), "worker", 30)
    assert (await ask(RUN, id=run["id"]))["run"]["rowErrors"]["nodes"][0]["code"] == "NOT_FOUND"
    assert await Customer.all().count() == 0


async def test_customers_are_imported(ask: Ask, house: House) -> None:
    document = """mutation ($input: ImportInput!) { customersImport(input: $input) {
      ... on CustomersImportPayload { run { id kind } } } }"""
    file_id = await uploaded(house, "customer_id,name,tags\nC-1,王芳,vip;fair\n")
    run = (await ask(document, input={"fileId": file_id}))["customersImport"]["run"]
    assert run["kind"] == "customers_import"
    await runs.perform(row_id("Run", run["id"]), "worker", 30)
    found = await ask('{ customer(externalId: "C-1") { name tags } }')
    assert found["customer"] == {"name": "王芳", "tags": ["fair", "vip"]}


async def test_an_unknown_file_is_refused_and_nothing_is_queued(ask: Ask, house: House) -> None:
    theirs = await uploaded(await build_house("Other"), ROWS)
    for file_id in (theirs, global_id("File", 10**9), global_id("Run", 1), "nonsense"):
        refused = (await ask(IMPORT, input={"fileId": file_id}))["ordersImport"]
        assert refused["userErrors"][0]["code"] == "NOT_FOUND"
        assert refused["userErrors"][0]["field"][-1] == "fileId"
    assert await Run.all().count() == 0


@pytest.mark.parametrize("role", [Role.TEAM_LEAD, Role.EXECUTOR, Role.SUPPORT])
async def test_imports_are_for_those_who_may_upload(house: House, role: Role) -> None:
    variables = {"input": {"fileId": await uploaded(house, ROWS)}}
    result = await ask_for_result(IMPORT, house.staff[role], variables)
    assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"]
    assert await Run.all().count() == 0
