"""What a workspace must have to be one."""

import pytest

from domain import money, workspaces
from domain.errors import DomainError, Invalid, Required
from tests.security.rows import differences, snapshot


@pytest.mark.parametrize(
    ("given", "error", "field"),
    [
        ({"name": ""}, Required, "name"),
        ({"name": " \t\n"}, Required, "name"),
        ({"name": "x" * 121}, Invalid, "name"),
        ({"name": "a\0b"}, Invalid, "name"),
        ({"currency": "ZZZ"}, Invalid, "currency"),
        ({"currency": "XAU"}, Invalid, "currency"),
        ({"currency": "XTS"}, Invalid, "currency"),
        ({"currency": "cny"}, Invalid, "currency"),
        ({"currency": "¥"}, Invalid, "currency"),
        ({"currency": ""}, Invalid, "currency"),
        ({"currency": "DEM"}, Invalid, "currency"),
        ({"zone": "Mars/Base"}, Invalid, "zone"),
    ],
)
async def test_a_workspace_that_cannot_be_is_refused_and_nothing_is_written(
    database: str, given: dict[str, str], error: type[DomainError], field: str
) -> None:
    before = await snapshot()
    with pytest.raises(error) as refused:
        await workspaces.create(**{"name": "House", **given})
    assert refused.value.problems[0].field == (field,)
    assert differences(before, await snapshot()) == {}


@pytest.mark.parametrize("currency", ["CNY", "USD", "EUR", "JPY", "KWD"])
async def test_a_workspace_keeps_its_name_without_the_space_around_it(database: str, currency: str) -> None:
    made = await workspaces.create("  House of 茶 ", currency=currency)
    stored = await workspaces.get(made.id)
    assert (stored.name, stored.currency) == ("House of 茶", currency)


def test_currencies_are_those_of_iso_4217_with_their_digits() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in money.CURRENCIES)
    assert 150 <= len(money.CURRENCIES) <= 160
    assert {code: money.exponent(code) for code in ("CNY", "JPY", "KRW", "KWD", "TND", "CLP")} == {
        "CNY": 2,
        "JPY": 0,
        "KRW": 0,
        "KWD": 3,
        "TND": 3,
        "CLP": 0,
    }
    assert str(money.amount(12345, "KWD")) == "12.345"
