"""Plans serve every caller and every value, step back where they must, and say so when asked."""

import pytest

from api.context import Context
from api.schema import schema
from domain import customers
from domain.access import Role
from tests.api.conftest import Ask, ask_for_result
from tests.conftest import House

NAMED = 'query { customer(externalId: "%s") { externalId } tasks(first: %d) { totalCount } }'


async def _paths(document: str, house: House, **variables: object) -> dict[str, int]:
    before = schema.engine.paths.copy()
    await ask_for_result(document, house.owner, variables)
    return dict(schema.engine.paths - before)


@pytest.mark.one_path
async def test_documents_that_differ_in_their_values_share_a_plan(house: House, ask: Ask) -> None:
    for name in ("C-1", "C-2"):
        await customers.upsert(house.owner, name)
    await ask(NAMED % ("C-0", 1))
    known = len(schema.engine._plans)
    for name, first in (("C-1", 2), ("C-2", 3), ('C-\\"', 4), ("C-\\u0031", 5)):
        found = (await ask(NAMED % (name, first)))["customer"]
        assert found == (
            {"externalId": "C-1"} if "1" in name else {"externalId": name} if name == "C-2" else None
        )
    assert len(schema.engine._plans) == known


@pytest.mark.one_path
async def test_a_cached_plan_lets_no_bad_value_through(house: House, ask: Ask) -> None:
    await ask(NAMED % ("C-0", 1))
    dear = "{ customers(first: %d) { nodes { orders(first: %d) { nodes { id customer { id } } } } } }"
    await ask(dear % (1, 1))
    for document, code in (
        (dear % (100, 100), "LIMITED"),
        (NAMED % ("C-0", 99_999_999_999), "BAD_REQUEST"),
        (NAMED % ("C\\u0000", 1), "BAD_REQUEST"),
        (NAMED % ("C-0", 0), "BAD_REQUEST"),
    ):
        result = await ask_for_result(document, house.owner, {})
        assert [error.extensions["code"] for error in result.errors] == [code], document


WELL_WRITTEN = (
    """{ staff { id } customers(first: 5, where: {or: [{externalId: {in: ["a""b"]}}]}) { totalCount } }"""
)
ODD = {
    "5": [
        "010",
        "00",
        "-01",
        "05",
        "5x",
        "5_",
        "5.",
        "5.x",
        "5.0.0",
        "0x5",
        "5e",
        "00.5",
        "1e05x",
        "5é",
        "+5",
        "--5",
    ],
    '"a""b"': ['"""b"', '"a"""" "', '"a""b', '"a" b"', '"a\n"', '"\\x"'],
}


@pytest.mark.one_path
async def test_a_cached_plan_takes_no_text_that_graphql_core_would_not(house: House) -> None:
    known = await ask_for_result(WELL_WRITTEN, house.owner, {})
    assert known.errors is None
    for good, odd in ODD.items():
        for written in odd:
            document = WELL_WRITTEN.replace(good, written)
            core = await schema.interpret(document, None, Context(house.owner), None, None, None, None)
            assert core.errors, written
            before = schema.engine.paths.copy()
            result = await ask_for_result(document, house.owner, {})
            assert [each.message for each in result.errors or ()] == [each.message for each in core.errors], (
                written
            )
            assert "compiled" not in schema.engine.paths - before, written


@pytest.mark.one_path
async def test_equal_literals_that_make_two_fields_one_are_no_values(house: House) -> None:
    twice = "{ tasks(first: %d) { totalCount } tasks(first: %d) { nodes { id } } }"
    assert (await ask_for_result(twice % (1, 1), house.owner, {})).errors is None
    assert (await ask_for_result(twice % (1, 2), house.owner, {})).errors is not None
    assert (await ask_for_result(twice % (2, 2), house.owner, {})).errors is None


async def test_flags_choose_what_is_selected_and_absent_is_not_null(house: House, ask: Ask) -> None:
    await customers.upsert(house.owner, "C-1", name="Ann")
    document = """query ($more: Boolean = false, $where: CustomerWhere) {
      customers(where: $where) { nodes { externalId name @include(if: $more) } } }"""
    assert (await ask(document))["customers"]["nodes"] == [{"externalId": "C-1"}]
    assert (await ask(document, more=True))["customers"]["nodes"] == [{"externalId": "C-1", "name": "Ann"}]
    assert (await ask(document, where=None))["customers"]["nodes"] == [{"externalId": "C-1"}]
    nobody = {"where": {"owner": {"eq": house.staff[Role.OWNER].label}}}
    assert (await ask(document, **nobody))["customers"]["nodes"] == []


async def test_a_plan_made_for_one_role_masks_for_another(house: House, ask: Ask) -> None:
    await customers.upsert(house.owner, "C-1", name="Annabel Lee", phone="+86 1380 0000")
    document = '{ customer(externalId: "C-1") { name phone } }'
    assert (await ask(document))["customer"]["name"] == "Annabel Lee"
    masked = (await ask(document, who=house.staff[Role.ANALYST]))["customer"]
    assert masked["name"] == "An*******ee"
    assert "1380" not in masked["phone"]


@pytest.mark.one_path
async def test_introspection_and_mutations_are_left_to_graphql_core(house: House) -> None:
    assert await _paths("{ __schema { queryType { name } } }", house) == {"declined": 1}
    assert await _paths("{ viewer { role } }", house) == {"compiled": 1}
    assert await _paths('mutation { runCancel(id: "x") { __typename } }', house) == {"other": 1}


@pytest.mark.one_path
async def test_reads_that_fail_again_and_again_are_not_tried_twice(house: House) -> None:
    failing = '{ tasks(after: "x") { totalCount } }'
    paths = [tuple(await _paths(failing, house)) for _ in range(40)]
    assert paths[0] == ("again",)
    assert paths[-1] == ("declined",)
    result = await ask_for_result(failing, house.owner, {})
    assert result.errors[0].message == "after: this is not a cursor of this list"
    schema.engine.reruns.forget()


@pytest.mark.one_path
async def test_while_debugging_an_answer_says_which_path_it_took(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema.engine, "tells", True)
    for document, path in (
        ("{ viewer { role } }", "compiled"),
        ("{ __typename __schema { queryType { name } } }", "graphql-core"),
    ):
        result = await ask_for_result(document, house.owner, {})
        assert result.extensions["engine"] == {"path": path}
        assert result.extensions["cost"]["requested"] > 0


@pytest.mark.one_path
async def test_a_query_over_a_stream_takes_its_plan_too(house: House) -> None:
    before = schema.engine.paths.copy()
    stream = await schema.stream("{ viewer { role } }", context_value=Context(house.owner))
    assert [result.data async for result in stream] == [{"viewer": {"role": "OWNER"}}]  # type: ignore[union-attr]
    assert schema.engine.paths - before == {"compiled": 1}
