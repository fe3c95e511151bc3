"""Scalars that say what they are: instants with a zone, days, exact decimals, money."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLError

from domain import money as amounts
from domain.errors import Invalid

D = TypeVar("D", bound=date)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_YEARS = range(1900, 2200)
"""Outside these a time is a slip of the pen; inside, no zone and no deadline leaves the calendar."""
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,6})?", re.ASCII)


def _instant(raw: Any) -> datetime:
    if not isinstance(raw, str) or not _INSTANT.fullmatch(raw):
        raise GraphQLError(
            f"a DateTime is RFC 3339 with an offset, such as 2025-03-03T10:15:00+08:00, got {raw!r}"
        )
    try:
        moment = datetime.fromisoformat(raw).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GraphQLError(f"{raw!r} is not a date and time: {error}") from None
    return _meant(moment, raw)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _day(raw: Any) -> date:
    try:
        if not isinstance(raw, str) or len(raw) != 10:
            raise ValueError
        day = date.fromisoformat(raw)
    except ValueError:
        raise GraphQLError(f"a Date is YYYY-MM-DD, got {raw!r}") from None
    return _meant(day, raw)


def _meant(day: D, raw: Any) -> D:
    if day.year not in _YEARS:
        raise GraphQLError(f"{raw!r} is not between the years {_YEARS.start} and {_YEARS.stop}")
    return day


def _decimal(raw: Any) -> Decimal:
    text = str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
    try:
        if not _DECIMAL.fullmatch(text):
            raise InvalidOperation
        return Decimal(text)
    except InvalidOperation:
        raise GraphQLError(f'a Decimal is a string such as "12.50", got {raw!r}') from None


SCALARS: dict[object, Any] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant: RFC 3339 with an offset. Answers are in UTC.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_shown,
        parse_value=_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A calendar day, YYYY-MM-DD, in the workspace's zone.",
        serialize=lambda day: day.isoformat(),
        parse_value=_day,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a string, such as "12.50".',
        serialize=lambda number: format(number, "f"),
        parse_value=_decimal,
    ),
}


@strawberry.type(description="An exact amount of money.")
class Money:
    amount: Decimal = strawberry.field(description="The amount in the currency's main unit.")
    currency: str = strawberry.field(description="ISO 4217 code.")


@strawberry.input(description="An exact amount of money.")
class MoneyInput:
    amount: Decimal = strawberry.field(description="The amount in the currency's main unit.")
    currency: str = strawberry.field(description="ISO 4217 code; must be the workspace's.")


def money(minor: int, currency: str) -> Money:
    return Money(amount=amounts.amount(minor, currency), currency=currency)


def minor_units(given: MoneyInput, field: str) -> int:
    """The amount in minor units.

    Raises:
        Invalid: it has more digits after the point than its currency.
    """
    exponent = amounts.exponent(given.currency)
    scaled = given.amount.scaleb(exponent)
    if scaled != scaled.to_integral_value():
        raise Invalid(f"{given.currency} has {exponent} digits after the point", field=field)
    return int(scaled)
