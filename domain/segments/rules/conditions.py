"""What may be asked of a customer: a tree of conditions, typed down to its leaves.

Each part says by which check its values are read, so that what is kept as a document, and what a caller
sends, is read in one way. A name here is the name in a document, and camelled the one in the API.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from domain.contacts import Channel, ContactResult, Direction, Purpose
from domain.customers import LeadPotential, LeadSource, OrderStatus
from domain.segments.models import LifecycleStage, RfmTier, ValueLevel
from domain.segments.rules import checks

MOST_DAYS, MOST_MONTHS = 3660, 120
MOST_TIMES, MOST_MINOR, MOST_AVERAGE = 10**6, 10**15, 10**12
"""An average is held against sums multiplied out, and the product still is a number of 64 bits."""


class CustomerField(StrEnum):
    """What may be known of a customer, or not."""

    NAME = "NAME"
    COMPANY = "COMPANY"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    OWNER = "OWNER"


class CustomerDate(StrEnum):
    """An instant of a customer's record."""

    REGISTERED_AT = "REGISTERED_AT"
    CANCELLED_AT = "CANCELLED_AT"
    LAST_INTERACTION_AT = "LAST_INTERACTION_AT"


class RfmRank(StrEnum):
    """A place among all customers, as the last recompute gave it."""

    RECENCY = "RECENCY"
    FREQUENCY = "FREQUENCY"
    MONETARY = "MONETARY"
    COMPOSITE = "COMPOSITE"


def part(read: Callable[[Any, checks.Place], Any], default: Any = None) -> Any:
    """A part of a condition that may be left out."""
    return field(default=default, metadata={"read": read})


def needed(read: Callable[[Any, checks.Place], Any]) -> Any:
    """A part without which a condition says nothing."""
    return field(metadata={"read": read})


@dataclass(frozen=True)
class NumberTest:
    """What a number must be; all that is given must hold. Money is in minor units."""

    eq: int | None = None
    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None

    def takes(self, number: int) -> bool:
        """Whether the number passes."""
        return (
            (self.eq is None or number == self.eq)
            and (self.gt is None or number > self.gt)
            and (self.gte is None or number >= self.gte)
            and (self.lt is None or number < self.lt)
            and (self.lte is None or number <= self.lte)
        )


@dataclass(frozen=True)
class TimeTest:
    """When an instant must lie; all that is given must hold.

    Within so many days, or calendar months whose last day counts whole (A-43); or so long ago at least,
    in months to the very instant, clamped to a month's last day (A-10).
    """

    within_days: int | None = part(checks.whole(1, MOST_DAYS))
    within_months: int | None = part(checks.whole(1, MOST_MONTHS))
    days_ago: int | None = part(checks.whole(1, MOST_DAYS))
    months_ago: int | None = part(checks.whole(1, MOST_MONTHS))
    gte: datetime | None = part(checks.instant)
    lte: datetime | None = part(checks.instant)


@dataclass(frozen=True)
class Window:
    """Which of the things that happened count: of so many days or calendar months, or of fixed instants."""

    days: int | None = part(checks.whole(1, MOST_DAYS))
    months: int | None = part(checks.whole(1, MOST_MONTHS))
    since: datetime | None = part(checks.instant)
    until: datetime | None = part(checks.instant)


def _number(most: int) -> Callable[[Any, checks.Place], NumberTest]:
    return checks.some_of(NumberTest, checks.whole(0, most))


_COUNT = _number(MOST_TIMES)
_TIME = checks.some_of(TimeTest)
_WINDOW = checks.some_of(Window)


@dataclass(frozen=True)
class Profile:
    """What must be known of the customer, and what must not."""

    known: tuple[CustomerField, ...] = part(checks.words(CustomerField), ())
    unknown: tuple[CustomerField, ...] = part(checks.words(CustomerField), ())


@dataclass(frozen=True)
class Owned:
    """Who must look after the customer: one of these."""

    owner_ids: tuple[int, ...] = needed(checks.row_ids)


@dataclass(frozen=True)
class Dated:
    """When something on the customer's record must have been."""

    field: CustomerDate = needed(checks.word(CustomerDate))
    test: TimeTest = needed(_TIME)


@dataclass(frozen=True)
class Tagged:
    """The customer bears one of these tags."""

    any: tuple[str, ...] = needed(checks.texts(64))


@dataclass(frozen=True)
class Bought:
    """What the customer's orders in a window come to: without refunded ones, unless states are named."""

    count: NumberTest | None = part(_COUNT)
    total: NumberTest | None = part(_number(MOST_MINOR))
    average: NumberTest | None = part(_number(MOST_AVERAGE))
    first_at: TimeTest | None = part(_TIME)
    last_at: TimeTest | None = part(_TIME)
    window: Window | None = part(_WINDOW)
    statuses: tuple[OrderStatus, ...] = part(checks.words(OrderStatus), ())


@dataclass(frozen=True)
class Did:
    """How often, or when, the customer did something; without a test: at least once."""

    name: str = needed(checks.text(64))
    count: NumberTest | None = part(_COUNT)
    first_at: TimeTest | None = part(_TIME)
    last_at: TimeTest | None = part(_TIME)
    window: Window | None = part(_WINDOW)


@dataclass(frozen=True)
class Talked:
    """How often, or when, there was contact of this kind; without a test: at least once."""

    channels: tuple[Channel, ...] = part(checks.words(Channel), ())
    directions: tuple[Direction, ...] = part(checks.words(Direction), ())
    results: tuple[ContactResult, ...] = part(checks.words(ContactResult), ())
    personal: bool | None = part(checks.boolean)
    count: NumberTest | None = part(_COUNT)
    first_at: TimeTest | None = part(_TIME)
    last_at: TimeTest | None = part(_TIME)
    window: Window | None = part(_WINDOW)


@dataclass(frozen=True)
class Led:
    """How often, or when, the customer showed interest as a lead; without a test: at least once."""

    sources: tuple[LeadSource, ...] = part(checks.words(LeadSource), ())
    potentials: tuple[LeadPotential, ...] = part(checks.words(LeadPotential), ())
    industries: tuple[str, ...] = part(checks.texts(120), ())
    count: NumberTest | None = part(_COUNT)
    first_at: TimeTest | None = part(_TIME)
    last_at: TimeTest | None = part(_TIME)
    window: Window | None = part(_WINDOW)


@dataclass(frozen=True)
class Consented:
    """What the customer last stated about a purpose; who never stated anything has stated neither."""

    purpose: Purpose = needed(checks.word(Purpose))
    granted: bool = needed(checks.boolean)


@dataclass(frozen=True)
class Placed:
    """Where the last recompute placed the customer: one of the words of each list that is given."""

    lifecycle_stages: tuple[LifecycleStage, ...] = part(checks.words(LifecycleStage), ())
    value_levels: tuple[ValueLevel, ...] = part(checks.words(ValueLevel), ())
    rfm_tiers: tuple[RfmTier, ...] = part(checks.words(RfmTier), ())


@dataclass(frozen=True)
class Ranked:
    """The customer stands among the best so many percent by a rank of the last recompute."""

    by: RfmRank = needed(checks.word(RfmRank))
    top_percent: int = needed(checks.whole(1, 100))


@dataclass(frozen=True)
class Member:
    """The customer is in another segment, as last published."""

    segment_id: int = needed(checks.row_id)


Leaf = Profile | Owned | Dated | Tagged | Bought | Did | Talked | Led | Consented | Placed | Ranked | Member


@dataclass(frozen=True)
class AllOf:
    """Every one of these holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of these holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """This does not hold."""

    part: "Condition"


Condition = AllOf | AnyOf | Not | Leaf

LEAVES: dict[str, type[Any]] = {
    "profile": Profile,
    "owner": Owned,
    "date": Dated,
    "tags": Tagged,
    "orders": Bought,
    "events": Did,
    "interactions": Talked,
    "leads": Led,
    "consent": Consented,
    "placed": Placed,
    "ranked": Ranked,
    "member": Member,
}
"""By its name in a document, each kind of leaf."""
NAMES = {kind: name for name, kind in LEAVES.items()}


def placed(condition: Condition, place: checks.Place = ()) -> Iterator[tuple[Leaf, checks.Place]]:
    """Every leaf of a tree with its place, from left to right."""
    if isinstance(condition, AllOf | AnyOf):
        name = "all" if isinstance(condition, AllOf) else "any"
        for number, each in enumerate(condition.parts):
            yield from placed(each, (*place, name, str(number)))
    elif isinstance(condition, Not):
        yield from placed(condition.part, (*place, "not"))
    else:
        yield condition, (*place, checks.camel(NAMES[type(condition)]))


def segments_of(condition: Condition) -> set[int]:
    """The segments that a condition asks about."""
    return {leaf.segment_id for leaf, _ in placed(condition) if isinstance(leaf, Member)}


Node = tuple[checks.Place, str | None, str | None, Leaf | None]
"""A place, with how it joins what is below it, or the name of a leaf and the leaf."""


def nodes(condition: Condition, place: checks.Place = ()) -> Iterator[Node]:
    """Every node of a tree with its place, what joins others before those."""
    if isinstance(condition, AllOf | AnyOf):
        name = "all" if isinstance(condition, AllOf) else "any"
        yield place, name.upper(), None, None
        for number, each in enumerate(condition.parts):
            yield from nodes(each, (*place, name, str(number)))
    elif isinstance(condition, Not):
        yield place, "NOT", None, None
        yield from nodes(condition.part, (*place, "not"))
    else:
        yield place, None, NAMES[type(condition)], condition
