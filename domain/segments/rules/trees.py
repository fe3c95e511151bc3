"""Puts the expressions of a tree's leaves together to the one by which a customer is in or out."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.segments.rules import conditions as said
from domain.segments.rules.checks import Place, camel
from domain.segments.rules.compiling import Compiled
from domain.segments.rules.conditions import Condition
from domain.segments.rules.sources import LEAF


def compiled(
    condition: Condition,
    as_of: datetime,
    tz: ZoneInfo,
    money: Callable[[int], str] = str,
    *,
    among: str = "",
    place: Place = (),
) -> Compiled:
    """The statement's parts for a condition as of an instant, in a workspace's zone.

    They are for a statement over `customers c` with the parameter `workspace`, and those of `among`, the
    condition on `customer_id` where not everybody is asked about; its others are in `params`.
    """
    found = Compiled(as_of, tz, money, among)

    def expression(node: Condition, at: Place) -> str:
        if isinstance(node, said.AllOf | said.AnyOf):
            name, joiner = ("all", " AND ") if isinstance(node, said.AllOf) else ("any", " OR ")
            parts = [expression(each, (*at, name, str(number))) for number, each in enumerate(node.parts)]
            return f"({joiner.join(parts)})"
        if isinstance(node, said.Not):
            return f"(NOT {expression(node.part, (*at, 'not'))})"
        return LEAF[type(node)](found, node, (*at, camel(said.NAMES[type(node)])))

    found.holds = expression(condition, place)
    found.params["as_of"] = as_of
    return found
