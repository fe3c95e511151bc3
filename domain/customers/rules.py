"""What a customer, an order, a lead or an event must look like to be taken.

Each check returns the value to store, or refuses it in words that never quote it: what was given may
be personal data, and refusals of imports are kept.
"""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from domain.errors import Invalid
from domain.texts import UNSTORABLE, text

LONGEST_ID = 128
LONGEST_TAG = 64
MOST_TAGS = 50
LARGEST_AMOUNT = 10**15
LARGEST_QUANTITY = 10**6
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Between these an instant is taken for meant."""

_PHONE = re.compile(r"\+?(?=(\D*[0-9]){3})[0-9() ./#x-]{3,39}", re.ASCII)


class Absent(Enum):
    """Tells a value that was not given from one that is null."""

    UNSET = "UNSET"


UNSET: Final = Absent.UNSET


def external_id(value: str, field: str = "externalId") -> str:
    """The client's own key: 1 to 128 characters, compared exactly."""
    return text(value, field, LONGEST_ID)


def phone(value: str, field: str = "phone") -> str:
    value = text(value, field, 40)
    if not _PHONE.fullmatch(value):
        raise Invalid(f"{field} is not a telephone number", field=field)
    return value


def tags(values: Iterable[str], field: str = "tags") -> set[str]:
    found = {text(value, field, LONGEST_TAG) for value in values}
    if len(found) > MOST_TAGS:
        raise Invalid(f"a customer has at most {MOST_TAGS} tags", field=field)
    return found


def instant(value: datetime, field: str) -> datetime:
    if value.tzinfo is None:
        raise Invalid(f"{field} has no zone", field=field)
    if not EARLIEST <= value < LATEST:
        raise Invalid(f"{field} is not between the years 1900 and 2200", field=field)
    return value.astimezone(UTC)


def amount(minor: int, field: str = "amount") -> int:
    """Minor units; nothing is a valid amount, less is not."""
    if minor < 0:
        raise Invalid(f"{field} is negative", field=field)
    if minor > LARGEST_AMOUNT:
        raise Invalid(f"{field} is too large", field=field)
    return minor


def quantity(value: int, field: str = "quantity") -> int:
    if not 1 <= value <= LARGEST_QUANTITY:
        raise Invalid(f"{field} is between 1 and {LARGEST_QUANTITY}", field=field)
    return value


def currency(value: str, of_workspace: str, field: str = "currency") -> str:
    """Sums are only kept in one currency: the workspace's."""
    if value != of_workspace:
        named = field.rpartition(".")[2]
        raise Invalid(f"{named} is not {of_workspace}, the currency of this workspace", field=field)
    return value


def storable(value: Any) -> bool:
    """Whether both databases can store a JSON value: its texts, and numbers that are numbers."""
    if isinstance(value, str):
        return not UNSTORABLE.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(storable(name) and storable(item) for name, item in value.items())
    return not isinstance(value, list) or all(storable(item) for item in value)
