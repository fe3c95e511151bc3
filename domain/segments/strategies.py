"""What is to be done for each of the fifteen groups of the 5x3 matrix (S0-12 to S0-18, C-05)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.language import Label
from domain.segments.models import LifecycleStage, ValueLevel


class StrategySource(StrEnum):
    """Whether the documents name a cell's strategy, or it is taken over from the nearest cell."""

    OWN = "OWN"
    INHERITED = "INHERITED"


@dataclass(frozen=True)
class Strategy:
    """One cell's goal, what is done to reach it, and the measure of success."""

    lifecycle: LifecycleStage
    value_level: ValueLevel
    goal: Label
    components: tuple[Label, ...]
    goal_kpis: tuple[str, ...]
    """Codes of the KPI catalogue by which the goal is measured."""
    source: StrategySource
    inherited_from: ValueLevel | None
    """The value level of the same lifecycle stage whose strategy this is; none when it is its own."""


@dataclass(frozen=True)
class _Row:
    """One row of the documents' Table 1: a stage, and the value levels that it names."""

    levels: tuple[ValueLevel, ...]
    goal: Label
    components: tuple[Label, ...]
    goal_kpis: tuple[str, ...]


_HIGH, _MEDIUM, _ORDINARY = ValueLevel.HIGH, ValueLevel.MEDIUM, ValueLevel.ORDINARY
_LEVELS = (_HIGH, _MEDIUM, _ORDINARY)

_TABLE = {
    LifecycleStage.NEW: _Row(
        (_MEDIUM, _ORDINARY),
        Label("Build trust, lead to the first purchase", "建立信任，引导首次消费"),
        (
            Label("Ice-breaking care", "破冰关怀"),
            Label("Need guidance", "需求引导"),
            Label("Benefit activation", "权益激活"),
        ),
        ("FIRST_TOUCH_24H",),
    ),
    LifecycleStage.GROWTH: _Row(
        (_HIGH, _MEDIUM),
        Label("Raise activity, promote repurchase", "提升活跃度，促进复购"),
        (
            Label("Personalised recommendation", "个性化推荐"),
            Label("Interactive activities", "互动活动"),
            Label("Growth incentives", "成长激励"),
        ),
        ("REPURCHASE_RATE",),
    ),
    LifecycleStage.MATURE: _Row(
        (_HIGH,),
        Label("Strengthen loyalty, dig deep needs", "强化忠诚度，挖掘深度需求"),
        (
            Label("Exclusive service", "专属服务"),
            Label("Emotional connection", "情感连接"),
            Label("Value co-creation", "价值共创"),
        ),
        ("VISIT_COVERAGE", "REPURCHASE_RATE"),
    ),
    LifecycleStage.SILENT: _Row(
        (_MEDIUM, _ORDINARY),
        Label("Wake memory, activate interaction", "唤醒记忆，激活互动"),
        (
            Label("Cause survey", "原因调研"),
            Label("Pain-point solving", "痛点解决"),
            Label("Limited-time benefit", "限时福利"),
        ),
        ("SILENT_SHARE",),
    ),
    LifecycleStage.CHURNED: _Row(
        (_HIGH, _MEDIUM),
        Label("Analyse the cause, win back value", "分析原因，挽回价值"),
        (
            Label("In-depth interview", "深度访谈"),
            Label("Win-back plan", "挽回方案"),
            Label("Second invitation", "二次邀约"),
        ),
        ("REPURCHASE_RATE",),
    ),
}


def _cells() -> Iterator[Strategy]:
    for stage, row in _TABLE.items():
        for place, level in enumerate(_LEVELS):
            own = level in row.levels
            nearest = min(row.levels, key=lambda named: abs(_LEVELS.index(named) - place))
            yield Strategy(
                lifecycle=stage,
                value_level=level,
                goal=row.goal,
                components=row.components,
                goal_kpis=row.goal_kpis,
                source=StrategySource.OWN if own else StrategySource.INHERITED,
                inherited_from=None if own else nearest,
            )


STRATEGIES = {(cell.lifecycle, cell.value_level): cell for cell in _cells()}
"""All fifteen, stage by stage and from high value to ordinary."""


def strategy(lifecycle: LifecycleStage, value_level: ValueLevel) -> Strategy:
    return STRATEGIES[lifecycle, value_level]
