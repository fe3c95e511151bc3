"""Random customers with all that rules ask about, random rules, and a plain loop that answers them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain import db, timekeeping
from domain.customers import OrderStatus
from domain.segments import Placement, RuleCondition
from domain.segments.rules import conditions as said
from domain.segments.rules.conditions import (
    AllOf,
    AnyOf,
    CustomerDate,
    CustomerField,
    Not,
    NumberTest,
    RfmRank,
    TimeTest,
)
from tests.domain.segments.population import SHANGHAI, Bought, Person, at, settle

AS_OF = st.sampled_from(
    [at(day) for day in ("2025-02-28T10:00", "2024-02-29T00:00", "2025-03-03T10:00", "2024-12-31T23:59:59")]
)
OFF = st.sampled_from([timedelta(0), timedelta(seconds=1), timedelta(seconds=-1), timedelta(days=2)])
OWNER, GROUPS = "owner", ("tier:BRONZE", "NEW_3M", "cell:NEW:ORDINARY")
"""Stand for ids in a document until there are rows: see `with_ids`."""
TAGS, NAMES, INDUSTRIES = ("a", "b", "c"), ("login", "inquiry"), ("steel", "toys")


@dataclass(frozen=True)
class Villager:
    """One customer, with what they did: each deed is its words and its instant."""

    person: Person
    tags: Sequence[str] = ()
    phone: bool = False
    owned: bool = False
    events: Sequence[tuple[str, datetime]] = ()
    talks: Sequence[tuple[str, str, str, bool, datetime]] = ()
    leads: Sequence[tuple[str, str, str, datetime]] = ()
    consents: Sequence[tuple[str, bool, datetime]] = ()


@st.composite
def instants(draw: st.DrawFn, as_of: datetime) -> datetime:
    """On and about the lines: so many months or days back, some a second off."""
    months, days = draw(st.sampled_from([0, 1, 3, 6, 12])), draw(st.sampled_from([0, 0, 1, 30]))
    return timekeeping.add_months(as_of, -months, SHANGHAI) - timedelta(days=days) + draw(OFF)


@st.composite
def villagers(draw: st.DrawFn, number: int, as_of: datetime) -> Villager:
    when = instants(as_of)
    state = st.sampled_from([OrderStatus.PAID, OrderStatus.PAID, OrderStatus.DELIVERED, OrderStatus.REFUNDED])
    orders = st.builds(Bought, when, st.sampled_from([0, 1, 50, 99, 100, 101]), state)
    person = Person(
        f"V{number}",
        draw(when),
        draw(st.none() | when),
        draw(st.none() | when),
        draw(st.sampled_from([False, False, False, True])),
        draw(st.lists(orders, max_size=4)),
    )
    talk = st.tuples(
        st.sampled_from(["PHONE", "SMS"]),
        st.sampled_from(["INBOUND", "OUTBOUND"]),
        st.sampled_from(["REACHED", "NO_ANSWER"]),
        st.booleans(),
        when,
    )
    lead = st.tuples(
        st.sampled_from(["WEBSITE", "REFERRAL"]),
        st.sampled_from(["HIGH", "NORMAL"]),
        st.sampled_from(INDUSTRIES),
        when,
    )
    return Villager(
        person,
        draw(st.lists(st.sampled_from(TAGS), unique=True, max_size=2)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.lists(st.tuples(st.sampled_from(NAMES), when), max_size=3)),
        draw(st.lists(talk, max_size=3)),
        draw(st.lists(lead, max_size=2)),
        draw(st.lists(st.tuples(st.just("MARKETING"), st.booleans(), when), max_size=3)),
    )


async def move_in(workspace_id: int, people: Sequence[Villager], owner_id: int) -> dict[str, int]:
    """Write them all; each name's customer id."""
    ids = await settle(workspace_id, [each.person for each in people])
    for each in people:
        who = {"workspace_id": workspace_id, "customer_id": ids[each.person.name]}
        name = each.person.name
        if each.phone or each.owned:
            await db.execute(
                "UPDATE customers SET phone = :phone, owner_id = :owner WHERE id = :id",
                phone="13800000000" if each.phone else None,
                owner=owner_id if each.owned else None,
                id=who["customer_id"],
            )
        await db.insert_many("customer_tags", [{**who, "tag": tag} for tag in each.tags])
        keyed = {**who, "version": 1, "created_at": each.person.registered}
        await db.insert_many(
            "behaviour_events",
            [
                {**keyed, "external_id": f"{name}-{n}", "name": event, "occurred_at": when, "data": "{}"}
                for n, (event, when) in enumerate(each.events)
            ],
        )
        await db.insert_many(
            "interactions",
            [
                {
                    **keyed,
                    "channel": channel,
                    "direction": direction,
                    "personal": personal,
                    "result": result,
                    "note": "",
                    "occurred_at": when,
                }
                for channel, direction, result, personal, when in each.talks
            ],
        )
        await db.insert_many(
            "leads",
            [
                {
                    **keyed,
                    "external_id": f"{name}-{n}",
                    "source": source,
                    "potential": potential,
                    "industry": industry,
                    "consent": True,
                    "acquired_at": when,
                }
                for n, (source, potential, industry, when) in enumerate(each.leads)
            ],
        )
        await db.insert_many(
            "consents",
            [
                {
                    **keyed,
                    "purpose": purpose,
                    "granted": granted,
                    "source": "web",
                    "notice_version": "",
                    "stated_at": when,
                }
                for purpose, granted, when in each.consents
            ],
        )
    return ids


# --- random rules, as documents ---

FEW = st.integers(0, 3)
MINOR = st.sampled_from([0, 1, 50, 99, 100, 101, 150, 200])


def _numbers(values: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(st.sampled_from(["eq", "gt", "gte", "lt", "lte"]), values, min_size=1, max_size=2)


def _times(as_of: datetime) -> st.SearchStrategy[dict[str, Any]]:
    fixed = instants(as_of).map(lambda moment: moment.isoformat())
    return st.fixed_dictionaries(
        {},
        optional={
            "within_days": st.sampled_from([1, 30, 90]),
            "within_months": st.sampled_from([1, 3, 6]),
            "days_ago": st.sampled_from([1, 30]),
            "months_ago": st.sampled_from([1, 3, 6]),
            "gte": fixed,
            "lte": fixed,
        },
    ).filter(bool)


def _windows(as_of: datetime) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.sampled_from([1, 30, 90]).map(lambda days: {"days": days}),
        st.sampled_from([1, 3, 6, 12]).map(lambda months: {"months": months}),
        st.tuples(instants(as_of), instants(as_of)).map(
            lambda pair: {"since": min(pair).isoformat(), "until": max(pair).isoformat()}
        ),
    )


def _some(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


def leaf_documents(as_of: datetime) -> st.SearchStrategy[dict[str, Any]]:
    deeds = {"count": _numbers(FEW), "first_at": _times(as_of), "last_at": _times(as_of)}
    window = {"window": _windows(as_of)}
    parts: dict[str, st.SearchStrategy[Any]] = {
        "profile": st.fixed_dictionaries(
            {}, optional={"known": _some(["PHONE", "OWNER", "NAME"]), "unknown": _some(["PHONE", "COMPANY"])}
        ).filter(bool),
        "owner": st.just({"owner_ids": [OWNER]}),
        "date": st.fixed_dictionaries(
            {
                "field": st.sampled_from(["REGISTERED_AT", "CANCELLED_AT", "LAST_INTERACTION_AT"]),
                "test": _times(as_of),
            }
        ),
        "tags": _some(TAGS).map(lambda tags: {"any": tags}),
        "orders": st.fixed_dictionaries(
            {},
            optional={
                **deeds,
                **window,
                "total": _numbers(MINOR),
                "average": _numbers(MINOR),
                "statuses": _some(["PAID", "DELIVERED", "REFUNDED"]),
            },
        ).filter(lambda given: bool(given.keys() - {"window", "statuses"})),
        "events": st.fixed_dictionaries({"name": st.sampled_from(NAMES)}, optional={**deeds, **window}),
        "interactions": st.fixed_dictionaries(
            {},
            optional={
                **deeds,
                **window,
                "channels": _some(["PHONE", "SMS"]),
                "directions": _some(["INBOUND", "OUTBOUND"]),
                "results": _some(["REACHED", "NO_ANSWER"]),
                "personal": st.booleans(),
            },
        ).filter(bool),
        "leads": st.fixed_dictionaries(
            {},
            optional={
                **deeds,
                **window,
                "sources": _some(["WEBSITE", "REFERRAL"]),
                "potentials": _some(["HIGH", "NORMAL"]),
                "industries": _some(INDUSTRIES),
            },
        ).filter(bool),
        "consent": st.fixed_dictionaries({"purpose": st.just("MARKETING"), "granted": st.booleans()}),
        "placed": st.fixed_dictionaries(
            {},
            optional={
                "lifecycle_stages": _some(["NEW", "GROWTH", "SILENT", "CHURNED"]),
                "value_levels": _some(["HIGH", "MEDIUM", "ORDINARY"]),
                "rfm_tiers": _some(["GOLD", "SILVER", "BRONZE"]),
            },
        ).filter(bool),
        "ranked": st.fixed_dictionaries(
            {
                "by": st.sampled_from([each.value for each in RfmRank]),
                "top_percent": st.sampled_from([20, 50]),
            }
        ),
        "member": st.sampled_from(GROUPS).map(lambda key: {"segment_id": key}),
    }
    return st.one_of([each.map(lambda value, name=name: {name: value}) for name, each in parts.items()])


def documents(as_of: datetime) -> st.SearchStrategy[dict[str, Any]]:
    leaves = leaf_documents(as_of)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=5,
    )


def with_ids(document: Any, ids: Mapping[str, int]) -> Any:
    """A document with the ids of a workspace in it."""
    if isinstance(document, dict):
        return {name: with_ids(value, ids) for name, value in document.items()}
    if isinstance(document, list):
        return [with_ids(value, ids) for value in document]
    return ids.get(document, document) if isinstance(document, str) else document


# --- the plain loop ---


@dataclass(frozen=True)
class Known:
    """What the loop goes by besides the villager: the instant, the placements, who is in which segment."""

    as_of: datetime
    placed: Mapping[str, Placement]
    ids: Mapping[str, int]
    members: Mapping[int, set[int]]
    owner_id: int


def fits(rule: RuleCondition, each: Villager, known: Known) -> bool:
    """Whether the rule holds of a villager, found by looking at everything they did, one after the other."""
    if isinstance(rule, AllOf):
        return all(fits(part, each, known) for part in rule.parts)
    if isinstance(rule, AnyOf):
        return any(fits(part, each, known) for part in rule.parts)
    if isinstance(rule, Not):
        return not fits(rule.part, each, known)
    person, customer_id = each.person, known.ids[each.person.name]
    placement = known.placed.get(person.name)
    match rule:
        case said.Profile(has, lacks):
            there = {CustomerField.NAME}
            there |= {CustomerField.PHONE} if each.phone else set()
            there |= {CustomerField.OWNER} if each.owned else set()
            return set(has) <= there and not set(lacks) & there
        case said.Owned(owner_ids):
            return each.owned and known.owner_id in owner_ids
        case said.Dated(column, test):
            moment = {
                CustomerDate.REGISTERED_AT: person.registered,
                CustomerDate.CANCELLED_AT: person.cancelled,
                CustomerDate.LAST_INTERACTION_AT: person.interacted or person.registered,
            }[column]
            return _when(moment, test, known.as_of)
        case said.Tagged(tags):
            return bool(set(tags) & set(each.tags))
        case said.Bought():
            return _bought(rule, person, known.as_of)
        case said.Did():
            return _deeds(rule, [moment for name, moment in each.events if name == rule.name], known.as_of)
        case said.Talked():
            talks = [
                talk[4]
                for talk in each.talks
                if (not rule.channels or talk[0] in rule.channels)
                and (not rule.directions or talk[1] in rule.directions)
                and (not rule.results or talk[2] in rule.results)
                and (rule.personal is None or talk[3] is rule.personal)
            ]
            return _deeds(rule, talks, known.as_of)
        case said.Led():
            leads = [
                lead[3]
                for lead in each.leads
                if (not rule.sources or lead[0] in rule.sources)
                and (not rule.potentials or lead[1] in rule.potentials)
                and (not rule.industries or lead[2] in rule.industries)
            ]
            return _deeds(rule, leads, known.as_of)
        case said.Consented(_, granted):
            stated = [
                (moment, n, word)
                for n, (_, word, moment) in enumerate(each.consents)
                if moment <= known.as_of
            ]
            return bool(stated) and max(stated)[2] is granted
        case said.Placed(stages, levels, tiers):
            return (
                placement is not None
                and (not stages or placement.lifecycle in stages)
                and (not levels or placement.value_level in levels)
                and (not tiers or placement.tier in tiers)
            )
        case said.Ranked(by, percent):
            rank = (
                placement
                and {
                    RfmRank.RECENCY: placement.r_rank,
                    RfmRank.FREQUENCY: placement.f_rank,
                    RfmRank.MONETARY: placement.m_rank,
                    RfmRank.COMPOSITE: placement.composite_rank,
                }[by]
            )
            return rank is not None and rank * 100 <= percent * len(known.placed)
        case said.Member(segment_id):
            return customer_id in known.members[segment_id]
    raise AssertionError(rule)


def _when(moment: datetime | None, test: TimeTest, as_of: datetime) -> bool:
    if moment is None or moment > as_of:
        return False
    day, today = timekeeping.local_day(moment, SHANGHAI), timekeeping.local_day(as_of, SHANGHAI)
    return (
        (test.within_days is None or as_of - moment <= timedelta(days=test.within_days))
        and (test.within_months is None or timekeeping.add_months_on(day, test.within_months) >= today)
        and (test.days_ago is None or as_of - moment >= timedelta(days=test.days_ago))
        and (test.months_ago is None or timekeeping.add_months(moment, test.months_ago, SHANGHAI) <= as_of)
        and (test.gte is None or moment >= test.gte)
        and (test.lte is None or moment <= test.lte)
    )


def _counts(moment: datetime, window: said.Window | None, as_of: datetime) -> bool:
    if moment > as_of:
        return False
    if window is None:
        return True
    return (
        (window.days is None or as_of - moment <= timedelta(days=window.days))
        and (window.months is None or moment >= timekeeping.add_months(as_of, -window.months, SHANGHAI))
        and (window.since is None or moment >= window.since)
        and (window.until is None or moment <= window.until)
    )


def _deeds(rule: Any, moments: Sequence[datetime], as_of: datetime) -> bool:
    counted = [moment for moment in moments if _counts(moment, rule.window, as_of)]
    tests = (rule.count, rule.first_at, rule.last_at)
    count = rule.count or (NumberTest(gte=1) if tests == (None, None, None) else None)
    return (
        (count is None or count.takes(len(counted)))
        and (rule.first_at is None or _when(min(counted, default=None), rule.first_at, as_of))
        and (rule.last_at is None or _when(max(counted, default=None), rule.last_at, as_of))
    )


def _bought(rule: said.Bought, person: Person, as_of: datetime) -> bool:
    counted = [
        order
        for order in person.orders
        if (order.status in rule.statuses if rule.statuses else order.status is not OrderStatus.REFUNDED)
        and _counts(order.at, rule.window, as_of)
    ]
    total = sum(order.minor for order in counted)
    if rule.average is not None and (
        not counted
        or not NumberTest(
            **{name: line * len(counted) for name, line in vars(rule.average).items() if line is not None}
        ).takes(total)
    ):
        return False
    moments = [order.at for order in counted]
    return (
        (rule.count is None or rule.count.takes(len(counted)))
        and (rule.total is None or rule.total.takes(total))
        and (rule.first_at is None or _when(min(moments, default=None), rule.first_at, as_of))
        and (rule.last_at is None or _when(max(moments, default=None), rule.last_at, as_of))
    )
