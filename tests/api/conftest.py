"""Asks the real schema as a member of staff, without a web server."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.context import Context
from domain.access import Principal
from tests.conftest import House

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def ask(house: House) -> Ask:
    """`await ask("{ runs { totalCount } }", who=..., name=value)` gives the data, and fails on errors."""

    async def asked(document: str, who: Principal | None = None, **variables: Any) -> dict[str, Any]:
        result = await ask_for_result(document, who or house.owner, variables)
        assert result.errors is None, result.errors
        assert result.data is not None
        return dict(result.data)

    return asked


async def ask_for_result(document: str, who: Principal | None, variables: dict[str, Any]) -> Any:
    from api.schema import schema

    return await schema.execute(document, variable_values=variables, context_value=Context(who))
