"""Customers and what they did, through the schema."""

from datetime import timedelta
from typing import Any

import pytest

from api.ids import global_id
from domain import customers
from domain.access import Role
from domain.customers import Customer, LeadSource, Order
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import NOON, House, build_house

UPSERT = """mutation ($input: CustomerUpsertInput!, $seen: Int, $key: String) {
  customerUpsert(input: $input, expectedVersion: $seen, idempotencyKey: $key) {
    __typename
    ... on CustomerUpsertPayload { created customer { id externalId name tags version owner { id } } }
    ... on Refusal { userErrors { code field } current { id ... on Customer { version } } } } }"""
ORDER = """mutation ($input: OrderRecordInput!, $seen: Int) {
  orderRecord(input: $input, expectedVersion: $seen) {
    __typename
    ... on OrderRecordPayload { order { id status version amount { amount currency } orderedOn
      customer { externalId orderCount orderTotal { amount currency } } } }
    ... on Refusal { userErrors { code field } } } }"""
STATUS = """mutation ($id: ID!, $status: OrderStatus!, $at: DateTime) {
  orderStatusSet(id: $id, status: $status, at: $at) {
    __typename
    ... on OrderStatusSetPayload { order { status version deliveredAt customer { orderCount } } }
    ... on Refusal { userErrors { code field } current { id } } } }"""


async def test_a_customer_is_recorded_and_found_by_either_id(ask: Ask, house: House) -> None:
    owner = global_id("User", house.staff[Role.EXECUTOR].id)
    given = {"externalId": "C-1", "name": "王芳", "tags": ["vip", "fair"], "ownerId": owner}
    done = (await ask(UPSERT, input=given))["customerUpsert"]
    assert done["created"] is True
    assert done["customer"] == {
        "id": done["customer"]["id"],
        "externalId": "C-1",
        "name": "王芳",
        "tags": ["fair", "vip"],
        "version": 1,
        "owner": {"id": owner},
    }
    found = await ask(
        """query ($id: ID!) { a: customer(id: $id) { name } b: customer(externalId: "C-1") { id }
             none: customer(externalId: "C-2") { id } }""",
        id=done["customer"]["id"],
    )
    assert (found["a"], found["b"], found["none"]) == ({"name": "王芳"}, {"id": done["customer"]["id"]}, None)


async def test_what_is_left_out_stays_and_null_empties(ask: Ask) -> None:
    await ask(UPSERT, input={"externalId": "C-1", "name": "A", "tags": ["x"], "ownerId": None})
    done = (await ask(UPSERT, input={"externalId": "C-1"}))["customerUpsert"]
    assert (done["created"], done["customer"]["name"], done["customer"]["version"]) == (False, "A", 1)
    done = (await ask(UPSERT, input={"externalId": "C-1", "name": None, "tags": None}))["customerUpsert"]
    assert (done["customer"]["name"], done["customer"]["tags"], done["customer"]["version"]) == (None, [], 2)
    refused = (await ask(UPSERT, input={"externalId": "C-1", "registeredAt": None}))["customerUpsert"]
    assert refused["userErrors"] == [{"code": "REQUIRED", "field": ["input", "registeredAt"]}]


async def test_a_changed_customer_is_a_conflict_with_the_customer_as_it_is(ask: Ask) -> None:
    await ask(UPSERT, input={"externalId": "C-1", "name": "A"})
    await ask(UPSERT, input={"externalId": "C-1", "name": "B"}, seen=1)
    refused = (await ask(UPSERT, input={"externalId": "C-1", "name": "C"}, seen=1))["customerUpsert"]
    assert refused["userErrors"] == [{"code": "CONFLICT", "field": ["expectedVersion"]}]
    assert refused["current"]["version"] == 2
    assert (await Customer.get(external_id="C-1")).name == "B"


async def test_the_same_key_records_a_customer_once(ask: Ask) -> None:
    first = await ask(UPSERT, input={"externalId": "C-1", "name": "A"}, key="k")
    again = await ask(UPSERT, input={"externalId": "C-1", "name": "A"}, key="k")
    assert first == again
    assert again["customerUpsert"]["created"] is True
    other = (await ask(UPSERT, input={"externalId": "C-2"}, key="k"))["customerUpsert"]
    assert other["userErrors"][0]["code"] == "IDEMPOTENCY_MISMATCH"
    assert await Customer.all().count() == 1


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"externalId": "x" * 129}, "INVALID", "externalId"),
        ({"email": "nobody"}, "INVALID", "email"),
        ({"phone": "call me"}, "INVALID", "phone"),
        ({"tags": ["x" * 65]}, "INVALID", "tags"),
        ({"ownerId": "VXNlcjo5OTk5"}, "NOT_FOUND", "ownerId"),
        ({"ownerId": "nonsense"}, "NOT_FOUND", "ownerId"),
    ],
)
async def test_a_customer_that_cannot_be_is_refused(
    ask: Ask, given: dict[str, Any], code: str, field: str
) -> None:
    refused = (await ask(UPSERT, input={"externalId": "C-1", **given}))["customerUpsert"]
    assert refused["__typename"] == "Refusal"
    assert refused["userErrors"] == [{"code": code, "field": ["input", field]}]
    assert await Customer.all().count() == 0


@pytest.mark.parametrize("role", list(Role))
async def test_personal_fields_are_masked_for_those_who_do_not_see_them(
    ask: Ask, house: House, role: Role
) -> None:
    personal = {
        "name": "王小芳同志",
        "company": "Huaxing Steel",
        "phone": "13812345678",
        "email": "fang@care.test",
    }
    await customers.upsert(house.admin, "C-1", **personal)
    document = "{ customers { nodes { externalId name company phone email } } }"
    (found,) = (await ask(document, who=house.staff[role]))["customers"]["nodes"]
    assert found.pop("externalId") == "C-1"
    if role in (Role.ANALYST, Role.SUPPORT):
        assert found["phone"] == "13*******78"
        assert all("***" in value for value in found.values())
        assert not set(found.values()) & set(personal.values())
    else:
        assert found == personal


@pytest.mark.parametrize("role", [Role.ANALYST, Role.SUPPORT])
async def test_a_filter_does_not_tell_what_a_mask_hides(house: House, role: Role) -> None:
    await customers.upsert(house.admin, "C-1", name="Li Lei")
    document = '{ customers(where: {not: {name: {startsWith: "L"}}}) { totalCount } }'
    result = await ask_for_result(document, house.staff[role], {})
    assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"]


async def test_analysts_and_support_change_no_customers(house: House) -> None:
    for role in (Role.ANALYST, Role.SUPPORT):
        result = await ask_for_result(UPSERT, house.staff[role], {"input": {"externalId": "C-1"}})
        assert [error.extensions["code"] for error in result.errors] == ["FORBIDDEN"]
    assert await Customer.all().count() == 0


async def test_another_workspaces_customers_are_not_there(ask: Ask, house: House) -> None:
    other = await build_house("Other")
    theirs, _ = await customers.upsert(other.admin, "C-1", name="Theirs", tags=["vip"])
    await customers.record_order(other.admin, "O-1", customer_id=theirs.id, ordered_at=NOON, amount_minor=1)
    found = await ask(
        """query ($id: ID!) { a: customer(id: $id) { id } b: customer(externalId: "C-1") { id }
             customers(where: {tag: {eq: "vip"}}) { totalCount nodes { id } }
             order(externalId: "O-1") { id } }""",
        id=global_id("Customer", theirs.id),
    )
    assert found == {"a": None, "b": None, "customers": {"totalCount": 0, "nodes": []}, "order": None}
    order = await Order.get(external_id="O-1")
    refused = await ask(STATUS, id=global_id("Order", order.id), status="DELIVERED")
    assert refused["orderStatusSet"]["userErrors"] == [{"code": "NOT_FOUND", "field": ["id"]}]


async def test_customers_are_filtered_sorted_and_paged(ask: Ask, house: House) -> None:
    executor = house.staff[Role.EXECUTOR].id
    for n in range(7):
        await customers.upsert(
            house.admin,
            f"C-{n}",
            name=f"Name {n}",
            tags=["even" if n % 2 == 0 else "odd"],
            owner_id=executor if n < 2 else None,
            registered_at=NOON - timedelta(days=n),
        )
    document = """query ($where: CustomerWhere, $by: CustomerOrder!, $way: SortDirection!, $after: String) {
      customers(where: $where, orderBy: $by, direction: $way, first: 3, after: $after) {
        totalCount nodes { externalId } pageInfo { hasNextPage endCursor } } }"""

    async def read(
        where: dict[str, Any] | None = None, by: str = "CREATED_AT", way: str = "ASC"
    ) -> list[str]:
        found: list[str] = []
        after = None
        while True:
            page = (await ask(document, where=where, by=by, way=way, after=after))["customers"]
            found += [node["externalId"][2:] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                assert page["totalCount"] == len(found)
                return found

    assert await read() == list("0123456")
    assert await read(by="REGISTERED_AT") == list("6543210")
    assert await read(by="EXTERNAL_ID", way="DESC") == list("6543210")
    assert await read({"tag": {"eq": "even"}}) == list("0246")
    assert await read({"tag": {"in": ["even", "odd"]}, "externalId": {"in": ["C-1", "C-2"]}}) == list("12")
    assert await read({"not": {"tag": {"eq": "even"}}}) == list("135")
    assert await read({"name": {"eq": "Name 3"}}) == list("3")
    assert await read({"owner": {"eq": global_id("User", executor)}}) == list("01")
    assert await read({"owner": {"eq": None}}) == list("23456")
    assert await read({"registeredAt": {"gte": (NOON - timedelta(days=1)).isoformat()}}) == list("01")
    assert await read({"or": [{"externalId": {"eq": "C-6"}}, {"externalId": {"eq": "C-0"}}]}) == list("06")


async def test_an_order_is_recorded_once_and_changes_with_its_content(ask: Ask) -> None:
    given = {
        "externalId": "O-1",
        "customerExternalId": "C-1",
        "orderedAt": "2025-03-02T17:00:00Z",
        "amount": {"amount": "12.50", "currency": "CNY"},
    }
    for _ in range(2):
        order = (await ask(ORDER, input=given))["orderRecord"]["order"]
        assert order == {
            "id": order["id"],
            "status": "PAID",
            "version": 1,
            "amount": {"amount": "12.50", "currency": "CNY"},
            "orderedOn": "2025-03-03",
            "customer": {
                "externalId": "C-1",
                "orderCount": 1,
                "orderTotal": {"amount": "12.50", "currency": "CNY"},
            },
        }
    more = {**given, "amount": {"amount": "20", "currency": "CNY"}}
    order = (await ask(ORDER, input=more, seen=1))["orderRecord"]["order"]
    assert (order["version"], order["customer"]["orderTotal"]["amount"]) == (2, "20.00")
    for amount in ("-1", "1.001"):
        refused = {**given, "externalId": "O-2", "amount": {"amount": amount, "currency": "CNY"}}
        assert (await ask(ORDER, input=refused))["orderRecord"]["userErrors"][0]["code"] == "INVALID"
    refused = {**given, "externalId": "O-2", "amount": {"amount": "1", "currency": "USD"}}
    assert (await ask(ORDER, input=refused))["orderRecord"]["userErrors"][0]["code"] == "INVALID"
    assert await Order.all().count() == 1


async def test_an_order_goes_forward_once(ask: Ask, house: House) -> None:
    order = await customers.record_order(
        house.admin, "O-1", customer_external_id="C-1", ordered_at=NOON, amount_minor=1, create_customer=True
    )
    given: dict[str, Any] = {"id": global_id("Order", order.id), "status": "DELIVERED"}
    for at in ("2025-03-03T15:00:00+08:00", "2025-03-04T15:00:00+08:00"):
        done = (await ask(STATUS, **given, at=at))["orderStatusSet"]["order"]
        assert (done["status"], done["version"], done["deliveredAt"]) == (
            "DELIVERED",
            2,
            "2025-03-03T07:00:00Z",
        )
    done = (await ask(STATUS, **{**given, "status": "REFUNDED"}))["orderStatusSet"]["order"]
    assert (done["status"], done["customer"]["orderCount"]) == ("REFUNDED", 0)
    refused = (await ask(STATUS, **given))["orderStatusSet"]
    assert refused["userErrors"] == [{"code": "CONFLICT", "field": ["status"]}]
    assert refused["current"] == {"id": given["id"]}


async def test_leads_and_events_are_recorded_and_listed(ask: Ask) -> None:
    lead = """mutation ($input: LeadRecordInput!) { leadRecord(input: $input) { __typename
      ... on LeadRecordPayload { lead { source potential consent acquiredAt customer { name registeredAt } } }
      ... on Refusal { userErrors { code field } } } }"""
    given = {
        "externalId": "L-1",
        "customerExternalId": "C-1",
        "source": "TRADE_FAIR",
        "acquiredAt": "2025-03-03T03:00:00Z",
        "consent": True,
        "potential": "HIGH",
        "name": "李雷",
    }
    for _ in range(2):
        assert (await ask(lead, input=given))["leadRecord"]["lead"] == {
            "source": "TRADE_FAIR",
            "potential": "HIGH",
            "consent": True,
            "acquiredAt": "2025-03-03T03:00:00Z",
            "customer": {"name": "李雷", "registeredAt": "2025-03-03T03:00:00Z"},
        }
    refused = (await ask(lead, input={**given, "consent": False}))["leadRecord"]
    assert refused["userErrors"] == [{"code": "DUPLICATE", "field": ["input", "externalId"]}]
    event = """mutation ($input: EventRecordInput!) { eventRecord(input: $input) { __typename
      ... on EventRecordPayload { event { name customer { lastInteractionAt } } }
      ... on Refusal { userErrors { code field } } } }"""
    at = "2025-03-03T03:30:00Z"
    made = {"externalId": "E-1", "customerExternalId": "C-1", "name": "login", "occurredAt": at}
    for _ in range(2):
        done = (await ask(event, input=made))["eventRecord"]["event"]
        assert done == {"name": "login", "customer": {"lastInteractionAt": at}}
    found = await ask(
        """{ customer(externalId: "C-1") { leads { totalCount nodes { externalId } }
             events { totalCount nodes { externalId name } }
             timeline { nodes { event actor } } } }"""
    )
    customer = found["customer"]
    assert customer["leads"] == {"totalCount": 1, "nodes": [{"externalId": "L-1"}]}
    assert customer["events"] == {"totalCount": 1, "nodes": [{"externalId": "E-1", "name": "login"}]}
    assert [line["event"] for line in customer["timeline"]["nodes"]] == [
        "event.recorded",
        "lead.recorded",
        "customer.upserted",
        "customer.upserted",
    ]


@pytest.mark.one_path
async def test_a_page_of_customers_with_all_they_did_costs_the_same_whatever_its_size(
    ask: Ask, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        customer, _ = await customers.upsert(
            house.admin, f"C-{n}", tags=["t"], owner_id=house.staff[Role.EXECUTOR].id
        )
        for k in range(3):
            await customers.record_order(
                house.admin, f"O-{n}-{k}", customer_id=customer.id, ordered_at=NOON, amount_minor=k
            )
        await customers.record_event(
            house.admin, f"E-{n}", customer_id=customer.id, name="login", occurred_at=NOON
        )
        await customers.record_lead(
            house.admin,
            f"L-{n}",
            customer_id=customer.id,
            source=LeadSource.OTHER,
            acquired_at=NOON,
            consent=False,
        )
    document = """query ($first: Int!) { customers(first: $first) { nodes { tags orderTotal { amount }
      owner { id } orders(first: 2) { nodes { externalId customer { externalId } } }
      events { nodes { name } } leads { nodes { source } } timeline(first: 3) { nodes { event } } } } }"""
    asked = _counting(monkeypatch)
    counts = []
    for first in (1, 6):
        asked.clear()
        nodes = (await ask(document, first=first))["customers"]["nodes"]
        assert [len(node["orders"]["nodes"]) for node in nodes] == [2] * first
        assert [len(node["timeline"]["nodes"]) for node in nodes] == [3] * first
        counts.append(len(asked))
    assert counts[0] == counts[1], asked
    assert counts[0] <= 10


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement from here on."""
    from tortoise.connection import get_connections

    from domain.db import dialect

    asked: list[str] = []
    client = type(get_connections().get(dialect()))
    for name in ("execute_query", "execute_query_dict", "raw_rows"):
        original = getattr(client, name)

        def counted(original: Any) -> Any:
            async def run(self: Any, query: str, values: Any = None) -> Any:
                asked.append(query)
                return await original(self, query, values)

            return run

        monkeypatch.setattr(client, name, counted(original))
    return asked
