"""Each role may do what the schema says of it, and nothing else."""

from typing import Any

from domain import db
from domain.access import Role
from tests.security import surface
from tests.security.conftest import Caller, Place, on_sqlite
from tests.security.rows import differences, snapshot


class Undo(Exception):
    """Takes back what a permitted mutation did, so that the next one finds the same workspace."""


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", ())]


async def ask(caller: Caller, operation: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """One call, after which everything is as it was before."""
    told: list[dict[str, Any]] = []
    try:
        async with db.transaction():
            told.append(await caller.call(operation, name, given, depth=1))
            raise Undo
    except Undo:
        return told[0]


@on_sqlite
async def test_each_role_is_forbidden_what_the_schema_does_not_name_it_for(place: Place) -> None:
    checked = 0
    for operation in ("query", "mutation"):
        for name, field in surface.root(operation).fields.items():
            allowed = surface.allowed(field)
            assert allowed, name
            refused = [role for role in Role if role.value not in allowed]
            before = await snapshot() if refused and operation == "mutation" else None
            for role in refused:
                told = await place.callers[role].call(operation, name, place.valid(name), depth=1)
                assert codes(told) == ["FORBIDDEN"], (name, role, told)
                assert not any((told.get("data") or {}).values()), (name, role)
                checked += 1
            if before is not None:
                assert differences(before, await snapshot()) == {}, name
            for role in Role:
                if role.value in allowed:
                    told = await ask(place.callers[role], operation, name, place.valid(name))
                    assert codes(told) == [], (name, role, told["errors"])
                    payload = told["data"][name]
                    reasons = payload.get("userErrors", ()) if isinstance(payload, dict) else ()
                    assert "FORBIDDEN" not in [reason["code"] for reason in reasons], (name, role, reasons)
                    checked += 1
    fields = len(surface.root("query").fields) + len(surface.root("mutation").fields)
    assert checked == fields * len(Role)


@on_sqlite
async def test_without_a_credential_nothing_is_told(place: Place) -> None:
    before = await snapshot()
    nobody = Caller(place.client, "careline_nobody_knows")
    for operation in ("query", "mutation"):
        for name in surface.root(operation).fields:
            told = await nobody.call(operation, name, place.valid(name), depth=1)
            assert codes(told) == ["UNAUTHENTICATED"], name
            assert not told.get("data"), name
    for text in ("{ __schema { types { name } } }", "{ __typename }", "{ viewr { role } }"):
        told = await nobody.say(text)
        assert (codes(told), told["errors"][0]["message"]) == (["UNAUTHENTICATED"], "Not signed in.")
    assert (await place.client.get("/files/x")).status_code == 401
    assert (await place.client.post("/files", content=b"x")).status_code == 401
    assert differences(before, await snapshot()) == {}
