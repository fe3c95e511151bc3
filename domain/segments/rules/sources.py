"""Where each kind of condition looks: its tables, the figures taken of them, and the tests of these."""

from collections.abc import Callable
from typing import Any

from domain.segments.rules import conditions as said
from domain.segments.rules.checks import Place
from domain.segments.rules.compiling import Bindings, Compiled, Shown
from domain.segments.rules.conditions import CustomerDate, CustomerField, NumberTest, RfmRank

_PROFILE = {
    CustomerField.NAME: "c.name",
    CustomerField.COMPANY: "c.company",
    CustomerField.PHONE: "c.phone",
    CustomerField.EMAIL: "c.email",
    CustomerField.OWNER: "c.owner_id",
}
_DATES = {
    CustomerDate.REGISTERED_AT: ("registeredAt", "c.registered_at"),
    CustomerDate.CANCELLED_AT: ("cancelledAt", "c.cancelled_at"),
    # As the lifecycle has it: who was never heard of is silent since they became known.
    CustomerDate.LAST_INTERACTION_AT: (
        "lastInteractionAt",
        "COALESCE(c.last_interaction_at, c.registered_at)",
    ),
}
_RANKS = {
    RfmRank.RECENCY: "r_rank",
    RfmRank.FREQUENCY: "f_rank",
    RfmRank.MONETARY: "m_rank",
    RfmRank.COMPOSITE: "composite_rank",
}
_ONCE = NumberTest(gte=1)


def _both(parts: list[str]) -> str:
    return f"({' AND '.join(parts)})"


def _profile(to: Compiled, leaf: said.Profile, place: Place) -> str:
    parts = []
    for each in leaf.known:
        column = _PROFILE[each]
        # Whether, never what: a figure that anybody may see.
        known = f"CASE WHEN {column} IS NULL THEN 'unknown' ELSE 'known' END"
        parts.append(to.test(place, each.value.lower(), known, f"{column} IS NOT NULL", "known", Shown.WORD))
    for each in leaf.unknown:
        column = _PROFILE[each]
        known = f"CASE WHEN {column} IS NULL THEN 'unknown' ELSE 'known' END"
        parts.append(to.test(place, each.value.lower(), known, f"{column} IS NULL", "unknown", Shown.WORD))
    return _both(parts)


def _owner(to: Compiled, leaf: said.Owned, place: Place) -> str:
    named = f"one of {len(leaf.owner_ids)}"
    known = "CASE WHEN c.owner_id IS NULL THEN 'unknown' ELSE 'known' END"
    return to.test(place, "owner", known, f"c.owner_id IN {to.bind(leaf.owner_ids)}", named, Shown.WORD)


def _date(to: Compiled, leaf: said.Dated, place: Place) -> str:
    name, column = _DATES[leaf.field]
    return to.time(place, name, column, leaf.test)


def _tags(to: Compiled, leaf: said.Tagged, place: Place) -> str:
    alias = to.table("customer_tags", ", MIN(tag) AS tag", [("tag IN {}", leaf.any)])
    return to.test(place, "tags", f"{alias}.tag", f"{alias}.tag IS NOT NULL", ", ".join(leaf.any), Shown.WORD)


def _counted(to: Compiled, leaf: Any, place: Place, alias: str, when: str) -> list[str]:
    """The tests that all that can be counted have."""
    parts = []
    if leaf.count is not None:
        parts.append(to.number(place, f"count{when}", f"{alias}.n", leaf.count))
    for name, column in (("first_at", "firstAt"), ("last_at", "lastAt")):
        test = getattr(leaf, name)
        if test is not None:
            parts.append(to.time(place, f"{column}{when}", f"{alias}.{name}", test))
    return parts


def _happened(to: Compiled, leaf: Any, place: Place, table: str, column: str, among: Bindings) -> str:
    bounds, when = to.window(column, leaf.window)
    columns = f", COUNT(*) AS n, MIN({column}) AS first_at, MAX({column}) AS last_at"
    alias = to.table(table, columns, [*among, *bounds])
    parts = _counted(to, leaf, place, alias, when)
    return _both(parts or [to.number(place, f"count{when}", f"{alias}.n", _ONCE)])


def _orders(to: Compiled, leaf: said.Bought, place: Place) -> str:
    bounds, when = to.window("ordered_at", leaf.window)
    among: Bindings = (
        [("status IN {}", tuple(each.value for each in leaf.statuses))]
        if leaf.statuses
        else [("status <> 'REFUNDED'", None)]
    )
    columns = (
        ", COUNT(*) AS n, CAST(SUM(amount_minor) AS bigint) AS total"
        ", MIN(ordered_at) AS first_at, MAX(ordered_at) AS last_at"
    )
    alias = to.table("orders", columns, [*among, *bounds])
    parts = _counted(to, leaf, place, alias, when)
    if leaf.total is not None:
        parts.append(to.number(place, f"total{when}", f"{alias}.total", leaf.total, Shown.MONEY))
    if leaf.average is not None:
        parts.append(to.average(place, alias, leaf.average))
    return _both(parts)


def _events(to: Compiled, leaf: said.Did, place: Place) -> str:
    return _happened(to, leaf, place, "behaviour_events", "occurred_at", [("name = {}", leaf.name)])


def _among(**columns: tuple[Any, ...]) -> Bindings:
    return [
        (f"{column} IN {{}}", tuple(getattr(each, "value", each) for each in given))
        for column, given in columns.items()
        if given
    ]


def _interactions(to: Compiled, leaf: said.Talked, place: Place) -> str:
    among = _among(channel=leaf.channels, direction=leaf.directions, result=leaf.results)
    if leaf.personal is not None:
        among.append(("personal = {}", leaf.personal))
    return _happened(to, leaf, place, "interactions", "occurred_at", among)


def _leads(to: Compiled, leaf: said.Led, place: Place) -> str:
    among = _among(source=leaf.sources, potential=leaf.potentials, industry=leaf.industries)
    return _happened(to, leaf, place, "leads", "acquired_at", among)


def _consent(to: Compiled, leaf: said.Consented, place: Place) -> str:
    # The latest statement holds; of two of the same instant, the one that was written last.
    latest = (
        "AND NOT EXISTS (SELECT 1 FROM consents later WHERE later.workspace_id = consents.workspace_id"
        " AND later.customer_id = consents.customer_id AND later.purpose = consents.purpose"
        " AND later.stated_at <= :as_of AND (later.stated_at > consents.stated_at"
        " OR (later.stated_at = consents.stated_at AND later.id > consents.id)))"
    )
    alias = to.table(
        "consents", ", granted", [("purpose = {}", leaf.purpose.value), ("stated_at <= :as_of", None)], latest
    )
    said_so = f"CASE WHEN {alias}.granted THEN 'granted' WHEN NOT {alias}.granted THEN 'refused' END"
    line = "granted" if leaf.granted else "refused"
    holds = f"{alias}.granted = {to.bind(leaf.granted)}"
    return to.test(place, leaf.purpose.value.lower(), said_so, holds, line, Shown.WORD)


def _placements(to: Compiled) -> None:
    join = "LEFT JOIN placements p ON p.workspace_id = :workspace AND p.customer_id = c.id"
    if join not in to.joins:
        to.joins.append(join)
        to.reads.add("placements")


def _placed(to: Compiled, leaf: said.Placed, place: Place) -> str:
    _placements(to)
    parts = []
    for name, column, words in (
        ("lifecycleStage", "p.lifecycle", leaf.lifecycle_stages),
        ("valueLevel", "p.value_level", leaf.value_levels),
        ("rfmTier", "p.tier", leaf.rfm_tiers),
    ):
        if words:
            values = tuple(each.value for each in words)
            holds = f"{column} IN {to.bind(values)}"
            parts.append(to.test(place, name, column, holds, ", ".join(values), Shown.WORD))
    return _both(parts)


def _ranked(to: Compiled, leaf: said.Ranked, place: Place) -> str:
    _placements(to)
    column = f"p.{_RANKS[leaf.by]}"
    among = "(SELECT COUNT(*) FROM placements WHERE workspace_id = :workspace)"
    # Who has no rank yet has 0.
    holds = f"{column} > 0 AND {column} * 100 <= {to.bind(leaf.top_percent)} * {among}"
    return to.test(place, f"{leaf.by.value.lower()}RfmRank", column, holds, f"top {leaf.top_percent} %")


def _member(to: Compiled, leaf: said.Member, place: Place) -> str:
    alias = to.table("memberships", "", [("segment_id = {}", leaf.segment_id), ("left_at IS NULL", None)], "")
    inside = f"CASE WHEN {alias}.customer_id IS NULL THEN 'outside' ELSE 'member' END"
    return to.test(place, "segment", inside, f"{alias}.customer_id IS NOT NULL", "member", Shown.WORD)


LEAF: dict[type[Any], Callable[[Compiled, Any, Place], str]] = {
    said.Profile: _profile,
    said.Owned: _owner,
    said.Dated: _date,
    said.Tagged: _tags,
    said.Bought: _orders,
    said.Did: _events,
    said.Talked: _interactions,
    said.Led: _leads,
    said.Consented: _consent,
    said.Placed: _placed,
    said.Ranked: _ranked,
    said.Member: _member,
}
"""By its type, how a leaf is asked."""
