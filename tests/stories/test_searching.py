"""Somebody types the beginning of a name, a number or an address, and finds the customer."""

from typing import Any

import pytest

from domain import customers, db
from domain.access import Role
from domain.errors import Forbidden
from tests.conftest import House
from tests.stories.documents import CUSTOMER_UPSERT
from tests.stories.stage import Stage

SEARCH = (
    "query ($text: String!, $first: Int! = 20) { customerSearch(startsWith: $text, first: $first) "
    "{ foundBy exact customer { externalId name } } }"
)


async def found(stage: Stage, text: str, **more: Any) -> list[tuple[str, str, bool]]:
    answer = await stage.executor.ask(SEARCH, text=text, **more)
    return [
        (match["customer"]["externalId"], match["foundBy"], match["exact"])
        for match in answer["customerSearch"]
    ]


async def test_the_beginning_of_a_name_number_or_address_finds_the_customer(stage: Stage) -> None:
    for name, values in {
        "C-1": {"name": "王芳", "phone": "+86 138-0000-1234", "email": "Fang@Care.test"},
        "C-2": {"name": "王芳芳", "phone": "010 6555 1234", "email": "fang.wang@care.test"},
        "C-3": {"name": "fangorn", "phone": "0044 20 7946 0000"},
    }.items():
        await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": name, **values})
    assert await found(stage, "王芳") == [("C-1", "NAME", True), ("C-2", "NAME", False)]
    assert await found(stage, "FANG") == [
        ("C-3", "NAME", False),
        ("C-2", "EMAIL", False),
        ("C-1", "EMAIL", False),
    ]
    assert await found(stage, "fang@care.TEST") == [("C-1", "EMAIL", True)]
    for typed in ("138 00", "+86 138", "86138", "0086 1380000"):
        assert await found(stage, typed) == [("C-1", "PHONE", False)], typed
    assert await found(stage, "13800001234") == [("C-1", "PHONE", True)]
    assert await found(stage, "(010) 6555") == [("C-2", "PHONE", False)]
    assert await found(stage, "+44 20") == [("C-3", "PHONE", False)]
    assert await found(stage, "c-2") == [("C-2", "EXTERNAL_ID", True)]
    assert len(await found(stage, "王", first=1)) == 1
    assert await found(stage, "芳") == []
    assert await found(stage, "%") == []


async def test_what_a_merged_record_had_finds_where_it_went(stage: Stage) -> None:
    kept = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "A", "phone": "13800000001"})
    gone = await stage.owner.do(CUSTOMER_UPSERT, input={"externalId": "B", "phone": "13900000002"})
    await stage.owner.do(
        "mutation ($into: ID!, $from: ID!) { customersMerge(into: $into, from: $from) { __typename } }",
        into=kept["customer"]["id"],
        **{"from": gone["customer"]["id"]},
    )
    assert await found(stage, "139") == [("A", "PHONE", False)]


async def test_who_sees_people_masked_cannot_search_for_them(stage: Stage, database: str) -> None:
    for role in (Role.ANALYST, Role.SUPPORT):
        body = (await stage[role].response(SEARCH, text="王")).json()
        assert body["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        with pytest.raises(Forbidden):
            await customers.search(stage.house.staff[role], "王")


@pytest.mark.parametrize("text", ["", "x" * 255, "a\0"])
async def test_what_nobody_can_be_called_is_refused(stage: Stage, text: str) -> None:
    body = (await stage.owner.response(SEARCH, text=text)).json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("column", ["name_form", "phone_form", "email_form", "external_form"])
async def test_a_search_begins_in_an_index_behind_the_wall_too(house: House, column: str) -> None:
    """Row-level security keeps PostgreSQL from an index whose condition could give rows away."""
    with db.within(house.id):
        await customers.upsert(house.admin, "C-0", name="王芳", phone="13800000000", email="a@b.test")
        if db.is_postgres():
            await db.execute(
                """INSERT INTO customers (workspace_id, version, external_id, name, phone, email, registered_at,
                     excluded, synthetic, order_count, order_total_minor, created_at, updated_at)
                   SELECT workspace_id, 1, 'X-' || n, 'N' || n, '139' || (10000000 + n), n || '@b.test',
                     registered_at, false, true, 0, 0, created_at, updated_at
                   FROM customers CROSS JOIN generate_series(1, 5000) AS n"""
            )
            explain = "EXPLAIN"
        else:
            explain = "EXPLAIN QUERY PLAN"
        plan = await db.rows(
            f"""{explain} SELECT id FROM customers WHERE workspace_id = :workspace
                  AND {column} >= lower(:typed) AND {column} < lower(:typed) || :last
                ORDER BY {column}, id LIMIT 20""",
            workspace=house.id,
            typed="n12",
            last=customers.searching.LAST,
        )
        told = " ".join(str(value) for row in plan for value in row.values())
    assert f"customers_{column}" in told
    assert "Filter" not in told.replace("One-Time Filter", "") or column not in told.partition("Filter")[2]
