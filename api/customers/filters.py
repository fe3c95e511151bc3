"""Which customers: by what is recorded of them, and by where the segmentation places them."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry import UNSET
from tortoise.expressions import Q

import api.segments.enums  # noqa: F401
from api.errors import Code, coded
from api.filters import MOST, NOBODY, DateTimeFilter, EnumFilter, IdFilter, StringFilter
from api.ids import parse
from domain import customers, segments
from domain.access import Principal
from domain.errors import Invalid
from domain.segments import LifecycleStage, RfmTier, ValueLevel


@strawberry.input(description="Which customers.")
class CustomerWhere:
    external_id: StringFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By external id."
    )
    name: StringFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By name; not for roles that see names masked."
    )
    owner: IdFilter | None = strawberry.field(default=strawberry.UNSET, description="By member of staff.")
    tag: StringFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By tag: `eq` and `in` only."
    )
    registered_at: DateTimeFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By when they became known."
    )
    lifecycle_stage: EnumFilter[LifecycleStage] | None = strawberry.field(
        default=strawberry.UNSET, description="By stage; `eq: null`: not placed yet."
    )
    value_level: EnumFilter[ValueLevel] | None = strawberry.field(
        default=strawberry.UNSET, description="By value level; `eq: null`: not placed yet."
    )
    rfm_tier: EnumFilter[RfmTier] | None = strawberry.field(
        default=strawberry.UNSET, description="By RFM tier; `eq: null`: not placed yet."
    )
    segment: IdFilter | None = strawberry.field(
        default=strawberry.UNSET, description="By a segment that they are in now; `eq: null`: in none."
    )
    and_: list["CustomerWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="and", description="All of these."
    )
    or_: list["CustomerWhere"] | None = strawberry.field(
        default=strawberry.UNSET, name="or", description="At least one of these."
    )
    not_: "CustomerWhere | None" = strawberry.field(
        default=strawberry.UNSET, name="not", description="Not this."
    )


def columns(principal: Principal) -> dict[str, Any]:
    """Where each filter looks, for this caller: a filter must not tell what a mask hides."""
    workspace_id = principal.workspace_id

    def tagged(given: Any) -> Q:
        wanted = given.in_ if given.in_ is not UNSET else [given.eq]
        if given.contains is not UNSET or given.starts_with is not UNSET or not wanted or None in wanted:
            raise Invalid("a tag is filtered by `eq` or `in`", field="where.tag")
        return customers.tagged(principal, wanted)

    def hidden(_: Any) -> Q:
        raise coded(Code.FORBIDDEN, f"the role {principal.role.value} cannot filter by name")

    def placed(field: str, argument: str) -> Callable[[Any], Q]:
        def among(words: list[Any]) -> Q:
            return segments.placed(workspace_id, **{argument: words})

        return lambda given: _either(given, among, ~segments.placed(workspace_id), field)

    def member(given: Any) -> Q:
        def among(ids: list[str]) -> Q:
            return segments.member_of(workspace_id, *(_segment(each) for each in ids))

        return _either(given, among, ~segments.member_of(workspace_id), "segment")

    return {
        "external_id": "external_id",
        "name": "name" if principal.sees_personal else hidden,
        "owner": ("owner_id", "User"),
        "tag": tagged,
        "registered_at": "registered_at",
        "lifecycle_stage": placed("lifecycleStage", "lifecycle"),
        "value_level": placed("valueLevel", "value_level"),
        "rfm_tier": placed("rfmTier", "tier"),
        "segment": member,
    }


def _either(given: Any, among: Callable[[list[Any]], Q], none: Q, name: str) -> Q:
    """The condition of `eq` and `in` on something that a customer may also be without."""
    condition = Q()
    if given.eq is not UNSET:
        condition &= none if given.eq is None else among([given.eq])
    if given.in_ is not UNSET:
        if given.in_ is None or len(given.in_) > MOST:
            raise Invalid(f"`in` takes a list of at most {MOST}", field=f"where.{name}")
        condition &= among(given.in_) if given.in_ else Q(id=NOBODY)
    return condition


def _segment(value: str) -> int:
    """The row of a segment's id; what is no such id stands for a segment without members."""
    kind, row = parse(value) or ("", NOBODY)
    return row if kind == "Segment" else NOBODY
