"""The named segments of the documents, as rules that a workspace can take on and then change.

VIP, PROFIT_KEY and NEW_3M stand in every workspace and are filled by the recompute; their rules here
say the same and explain them.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from domain import db, workspaces
from domain.access import Principal
from domain.errors import Invalid
from domain.language import Label
from domain.segments import defining, groups
from domain.segments.models import Segment
from domain.segments.queries import thresholds
from domain.segments.thresholds import Thresholds

Rule = dict[str, Any]


@dataclass(frozen=True)
class SegmentPreset:
    """A named segment: what people call it, what it is for, and its rule by a workspace's thresholds."""

    label: Label
    about: Label
    rule: Callable[[Thresholds], Rule]


def _spent(minor: int) -> Rule:
    return {"orders": {"total": {"gt": minor}, "window": {"months": 12}}}


def _bought(**count: int) -> Rule:
    return {"orders": {"count": count}}


def _active(days: int) -> Rule:
    return {
        "any": [
            {"orders": {"count": {"gte": 1}, "window": {"days": days}}},
            {"date": {"field": "LAST_INTERACTION_AT", "test": {"within_days": days}}},
        ]
    }


def _unheard(months: int) -> Rule:
    return {"date": {"field": "LAST_INTERACTION_AT", "test": {"months_ago": months}}}


def _silent(lines: Thresholds) -> Rule:
    """C-01: no interaction of any kind for six calendar months, and neither cancelled nor churned."""
    cancelled = {"date": {"field": "CANCELLED_AT", "test": {"gte": "1900-01-01T00:00:00+00:00"}}}
    rest = [_unheard(lines.churned_months), cancelled]
    return {"all": [_unheard(lines.silent_months), *({"not": each} for each in rest)]}


def _inquired(times: int) -> Rule:
    return {
        "any": [
            {"interactions": {"directions": ["INBOUND"], "count": {"gte": times}}},
            {"events": {"name": "inquiry", "count": {"gte": times}}},
        ]
    }


PRESETS: dict[str, SegmentPreset] = {
    "VIP": SegmentPreset(
        groups.PRESET_LABELS["VIP"],
        Label(
            "Spent more than the VIP line within twelve months (S2-16).", "近12个月消费超过VIP线（S2-16）。"
        ),
        lambda lines: _spent(lines.vip_above_minor),
    ),
    "PROFIT_KEY": SegmentPreset(
        groups.PRESET_LABELS["PROFIT_KEY"],
        Label(
            "Spent more than the key profit line within twelve months (S4-80).",
            "近12个月消费超过核心利润线（S4-80）。",
        ),
        lambda lines: _spent(lines.profit_key_above_minor),
    ),
    "NEW_3M": SegmentPreset(
        groups.PRESET_LABELS["NEW_3M"],
        Label("First order within three calendar months (S2-17).", "首单在近3个自然月内（S2-17）。"),
        lambda lines: {"orders": {"first_at": {"within_months": 3}}},
    ),
    "HIGH_VALUE_10K": SegmentPreset(
        Label("High value by spend", "高价值客户"),
        Label(
            "Spent more than the line of high value within twelve months (S4-20).",
            "近12个月消费超过高价值线（S4-20）。",
        ),
        lambda lines: _spent(lines.high_above_minor),
    ),
    "FIRST_TIME_BUYER": SegmentPreset(
        Label("First-time buyers", "首次消费客户"),
        Label("Exactly one order, within three calendar months (S1-07).", "近3个月内仅有一笔订单（S1-07）。"),
        lambda lines: {"orders": {"count": {"eq": 1}, "first_at": {"within_months": 3}}},
    ),
    "POTENTIAL": SegmentPreset(
        Label("Potential customers", "潜力客户"),
        Label("No order yet, and two inquiries or more (S2-18).", "尚未成交，咨询两次及以上（S2-18）。"),
        lambda lines: {"all": [_bought(eq=0), _inquired(2)]},
    ),
    "HIGH_POTENTIAL": SegmentPreset(
        Label("High potential", "高潜客户"),
        Label("A lead of high potential that has not bought yet (S0-24).", "尚未成交的高潜力线索（S0-24）。"),
        lambda lines: {"all": [_bought(eq=0), {"leads": {"potentials": ["HIGH"]}}]},
    ),
    "ACTIVE": SegmentPreset(
        Label("Active customers", "活跃客户"),
        Label("Bought or was heard of within 30 days (S2-19).", "近30天内有消费或互动（S2-19）。"),
        lambda lines: _active(30),
    ),
    "SILENT": SegmentPreset(
        Label("Silent customers", "沉默客户"),
        Label(
            "No interaction of any kind for six calendar months (S2-20).", "6个自然月无任何互动（S2-20）。"
        ),
        _silent,
    ),
    "NOT_LOGGED_IN": SegmentPreset(
        Label("Not logged in for three months", "三个月未登录"),
        Label(
            "Logged in once, but not within three calendar months: a warning before silence (C-01).",
            "曾登录，但近3个自然月未登录：沉默前的预警（C-01）。",
        ),
        lambda lines: {"events": {"name": "login", "last_at": {"months_ago": 3}}},
    ),
    "CHURN_RISK": SegmentPreset(
        Label("Churn risk", "流失风险客户"),
        Label(
            "Bought twice or more, nothing in 90 days, and not silent yet (S1-06, S2-21).",
            "曾多次消费，近90天未消费且尚未沉默（S1-06、S2-21）。",
        ),
        lambda lines: {
            "all": [
                _bought(gte=2),
                {"orders": {"last_at": {"days_ago": 90}}},
                {"not": _unheard(lines.silent_months)},
            ]
        },
    ),
    "HIGH_FREQUENCY": SegmentPreset(
        Label("High purchase frequency", "高频消费客户"),
        Label(
            "Among the best fifth by number of orders, with three or more in twelve months (S1-05).",
            "近12个月消费三次及以上且频次排名前20%（S1-05）。",
        ),
        lambda lines: {
            "all": [
                {"ranked": {"by": "FREQUENCY", "top_percent": 20}},
                {"orders": {"count": {"gte": 3}, "window": {"months": 12}}},
            ]
        },
    ),
    "YOUNG": SegmentPreset(
        Label("Young relationships", "新近客户"),
        Label("Known for less than the days of a new customer (S0-37).", "建档未超过新客户天数（S0-37）。"),
        lambda lines: {"date": {"field": "REGISTERED_AT", "test": {"within_days": lines.new_days}}},
    ),
}
"""By their keys. Ages of persons are not among what is known of customers: YOUNG is of the relationship.

High value by frequency and order value (S1-05) is what C-03 makes of it, HIGH_VALUE_10K; churn risk goes
by what customers do, as long as complaints are not recorded.
"""


async def install(who: Principal, keys: Collection[str]) -> list[Segment]:
    """Take presets on as the workspace's own rules, with the thresholds as they are now.

    One that stands already, changed or not, is left as it is. All of them are the answer, in the
    order in which they were named.
    """
    defining.check_maker(who)
    for key in keys:
        if key not in PRESETS:
            raise Invalid(f"{key!r} is not one of {', '.join(PRESETS)}", field="key")
    async with db.transaction():
        await workspaces.hold(who.workspace_id)
        await groups.ensure(who.workspace_id)
        lines = (await thresholds(who.workspace_id)).thresholds
        found = []
        for key in dict.fromkeys(keys):
            preset = PRESETS[key]
            segment = await Segment.get_or_none(workspace_id=who.workspace_id, key=key)
            if segment is None:
                segment, _ = await defining.create(
                    who,
                    key,
                    name_en=preset.label.en,
                    name_zh=preset.label.zh,
                    rule=preset.rule(lines),
                )
            found.append(segment)
    return found
