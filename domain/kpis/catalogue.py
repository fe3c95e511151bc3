"""The KPIs that Careline measures: what each is, what it counts, and what it should be."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain import timekeeping
from domain.errors import NotFound
from domain.kpis.models import Comparator
from domain.language import Label

FIRST_TOUCH_HOURS = 24
"""Natural hours from gaining a lead to its first contact (S0-22, C-18)."""


class KpiDimension(StrEnum):
    """Whether a KPI tells how the work is done, or what came of it (S0-91)."""

    PROCESS = "PROCESS"
    RESULT = "RESULT"


class KpiUnit(StrEnum):
    """What a KPI's value is counted in."""

    SHARE = "SHARE"


class Window(StrEnum):
    """The time that one measurement looks at."""

    TWELVE_MONTHS = "TWELVE_MONTHS"
    CALENDAR_MONTH = "CALENDAR_MONTH"
    VISIT_PERIOD = "VISIT_PERIOD"
    AS_OF = "AS_OF"

    @property
    def label(self) -> Label:
        return _WINDOWS[self]

    def bounds(self, as_of: datetime, tz: ZoneInfo, visit_months: int) -> tuple[datetime, datetime]:
        """From this instant up to `as_of`; the second is where the whole period ends.

        Twelve months begin at the same local wall time a year before, as in the segmentation. A visit
        period has the calendar months of the care plan for gold customers.
        """
        if self is Window.TWELVE_MONTHS:
            return timekeeping.add_months(as_of, -12, tz), as_of
        if self in (Window.CALENDAR_MONTH, Window.VISIT_PERIOD):
            months = visit_months if self is Window.VISIT_PERIOD else 1
            return timekeeping.period_of(timekeeping.local_day(as_of, tz), months).bounds(tz)
        return as_of, as_of


_WINDOWS = {
    Window.TWELVE_MONTHS: Label("12 calendar months up to asOf", "截至统计时点的12个自然月"),
    Window.CALENDAR_MONTH: Label("calendar month of asOf", "统计时点所在自然月"),
    Window.VISIT_PERIOD: Label(
        "the care plan's visit period of asOf (a calendar month unless it says otherwise)",
        "统计时点所在的关怀计划回访周期（默认自然月）",
    ),
    Window.AS_OF: Label("the moment of asOf", "统计时点"),
}


@dataclass(frozen=True)
class Aim:
    """Where a KPI started, where it should be, on which side of that, and by when."""

    target: Decimal
    comparator: Comparator
    baseline: Decimal | None = None
    due_on: date | None = None


@dataclass(frozen=True)
class KpiDefinition:
    """One KPI. Its value is the exact share numerator / denominator, and none of an empty denominator."""

    code: str
    name: Label
    meaning: Label
    numerator: Label
    denominator: Label
    formula: str
    window: Window
    dimension: KpiDimension
    sources: tuple[str, ...]
    """Rows of the requirements catalogue that ask for it."""
    aim: Aim
    """What holds until the workspace sets its own target."""
    unit: KpiUnit = KpiUnit.SHARE


REPURCHASE_RATE = KpiDefinition(
    code="REPURCHASE_RATE",
    name=Label("Repurchase rate", "老客户复购率"),
    meaning=Label(
        "How many of those who bought in the last twelve months bought more than once.",
        "最近12个月有购买的客户中，购买两次及以上的比例。",
    ),
    numerator=Label("customers with at least 2 completed orders", "完成2单及以上的客户"),
    denominator=Label("customers with at least 1 completed order", "完成1单及以上的客户"),
    formula="customers(orders >= 2) / customers(orders >= 1)",
    window=Window.TWELVE_MONTHS,
    dimension=KpiDimension.RESULT,
    sources=("S0-05", "S0-87", "C-13"),
    # 30 % plus 15 % of it: relative, not percentage points (C-13).
    aim=Aim(Decimal("0.345"), Comparator.AT_LEAST, baseline=Decimal("0.30")),
)

SILENT_SHARE = KpiDefinition(
    code="SILENT_SHARE",
    name=Label("Silent share", "沉默客户占比"),
    meaning=Label(
        "How many customers have fallen silent, by the published segmentation.",
        "按已发布的分群结果，处于沉默阶段的客户比例。",
    ),
    numerator=Label("customers in the stage SILENT", "沉默阶段客户"),
    denominator=Label("all placed customers", "全部已分群客户"),
    formula="customers(lifecycle = SILENT) / customers(placed)",
    window=Window.AS_OF,
    dimension=KpiDimension.RESULT,
    sources=("S0-01",),
    # The source calls the share high and names no number; a fifth is our proposal.
    aim=Aim(Decimal("0.20"), Comparator.AT_MOST),
)

VISIT_COVERAGE = KpiDefinition(
    code="VISIT_COVERAGE",
    name=Label("Return-visit coverage", "回访覆盖率"),
    meaning=Label(
        "How many gold customers had all their personal visits of the visit period, by default a month.",
        "黄金客户中，本回访周期（默认自然月）个性化回访次数达标的比例。",
    ),
    numerator=Label(
        "gold customers reached by all visits of the period (3 unless the care plan says otherwise)",
        "本周期成功回访次数达标的黄金客户（默认3次，以关怀计划为准）",
    ),
    denominator=Label("gold customers due in the period", "本周期应回访的黄金客户"),
    formula="gold(visits reached >= quota) / gold",
    window=Window.VISIT_PERIOD,
    dimension=KpiDimension.PROCESS,
    sources=("S4-10", "S4-27", "C-47", "A-17"),
    aim=Aim(Decimal("0.95"), Comparator.AT_LEAST),
)

FIRST_TOUCH_24H = KpiDefinition(
    code="FIRST_TOUCH_24H",
    name=Label("First touch within 24 hours", "24小时首触及时率"),
    meaning=Label(
        "How many leads of the month were contacted by their deadline.",
        "本月获取的线索中，在时限内完成首触沟通的比例。",
    ),
    numerator=Label("leads contacted by their due instant", "时限内完成首触的线索"),
    denominator=Label(
        "leads that were contacted, or whose 24 hours have ended", "已完成首触或24小时已届满的线索"
    ),
    formula="leads(satisfiedAt <= dueAt) / leads(satisfied or 24 h over)",
    window=Window.CALENDAR_MONTH,
    dimension=KpiDimension.PROCESS,
    sources=("S0-22", "S0-85", "C-18"),
    # No number of its own in the source: that of problem handling in time (S0-85).
    aim=Aim(Decimal("0.95"), Comparator.AT_LEAST),
)

CATALOGUE = {kpi.code: kpi for kpi in (REPURCHASE_RATE, VISIT_COVERAGE, FIRST_TOUCH_24H, SILENT_SHARE)}


def definition(code: str) -> KpiDefinition:
    """The KPI of a code, or `NotFound`."""
    found = CATALOGUE.get(code)
    if found is None:
        raise NotFound(f"no KPI {code!r}", field="code")
    return found
