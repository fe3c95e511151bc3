"""Every word and number format of a report, in both languages."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain import segments
from domain.kpis.catalogue import KpiDimension
from domain.kpis.models import Comparator
from domain.kpis.standing import KpiStatus
from domain.language import Label, Language

TITLE = Label("Customer care report", "客户运营分析报告")
AS_OF = Label("As of", "统计时点")
MEASURED = Label("computed", "计算时间")
GROUPS_OF = Label("customer groups of", "客户分群截至")
NO_GROUPS = Label("customer groups not computed yet", "客户分群尚未计算")
RUN = Label("run", "运行编号")

TARGETS = Label("Targets and actuals", "目标与实际")
KPI = Label("KPI", "指标")
KIND = Label("Kind", "类型")
COUNTED = Label("Counted", "计数")
BASELINE = Label("Baseline", "基线")
TARGET = Label("Target", "目标")
ACTUAL = Label("Actual", "实际")
GAP = Label("Gap (points)", "差距（百分点）")
DIFFERENCE = Label("Value less target", "与目标之差")
STATUS = Label("Status", "状态")
DUE = Label("Due", "截止")
UPLIFT = Label(
    "target: {relative} of the baseline ({points} percentage points)",
    "目标：较基线 {relative}（{points} 个百分点）",
)

MATRIX = Label("Customers by lifecycle and value", "客户矩阵：生命周期 × 价值等级")
LIFECYCLE = Label("Lifecycle", "生命周期")
VALUE_LEVEL = Label("Value", "价值等级")
CUSTOMERS = Label("Customers", "客户数")
SHARE = Label("Share", "占比")
TOTAL = Label("Total", "合计")
FEWER = Label("fewer", "少")
MORE = Label("more", "多")

TIERS = Label("RFM tiers", "RFM 分层")
TIER = Label("Tier", "层级")

TREND = Label("Orders and revenue, last 24 months", "近24个月订单与销售额")
MONTH = Label("Month", "月份")
ORDERS = Label("Completed orders", "完成订单数")
REVENUE = Label("Revenue", "销售额")
UNFINISHED = Label(
    "The last month is not over: it is counted up to the instant above.",
    "最后一个月尚未结束，仅统计至上述时点。",
)

DEFINITIONS = Label("How the figures are made", "指标口径")
HOW = Label(
    "Counted: {numerator}; of: {denominator}; period: {window}",
    "分子：{numerator}；分母：{denominator}；统计周期：{window}",
)
NUMERATOR = Label("Counted", "分子")
DENOMINATOR = Label("Of", "分母")
COMPARATOR = Label("Comparator", "比较方式")
CODE = Label("Code", "代码")
VALUE = Label("Value", "数值")
FROM = Label("From", "起")
TO = Label("To", "止")
CURRENCY = Label("Currency", "币种")
NOTHING = Label("No data", "暂无数据")

STATUSES = {
    KpiStatus.MET: Label("Met", "达标"),
    KpiStatus.AT_RISK: Label("At risk", "有风险"),
    KpiStatus.NOT_MET: Label("Not met", "未达标"),
    KpiStatus.NO_DATA: NOTHING,
}
DIMENSIONS = {
    KpiDimension.PROCESS: Label("Process", "过程"),
    KpiDimension.RESULT: Label("Result", "结果"),
}
COMPARATORS = {
    Comparator.AT_LEAST: Label("at least", "不低于"),
    Comparator.AT_MOST: Label("at most", "不高于"),
}
STAGES = segments.LIFECYCLE_LABELS
LEVELS = segments.VALUE_LABELS
TIER_NAMES = segments.TIER_LABELS


def percent(value: Fraction, beside: Fraction | None = None) -> str:
    """A share in percent with one decimal; with more where it would look equal to `beside` but is not."""
    for places in range(1, 4):
        text = _percent(value, places)
        if beside is None or value == beside or text != _percent(beside, places):
            break
    return text


def _percent(value: Fraction, places: int) -> str:
    return f"{_rounded(value * 100, places)}%"


def signed(value: Fraction, places: int = 1) -> str:
    """Percentage points, or per cent, with their sign; a true minus sign, never a hyphen."""
    number = _rounded(value * 100, places)
    return f"{'−' if number < 0 else '+' if number > 0 else '±'}{abs(number)}"


def _rounded(value: Fraction, places: int) -> Decimal:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def axis(largest: float, language: Language) -> Callable[[float], str]:
    """How an axis up to this value writes its numbers: all in one unit, and short."""
    zh, en = ((1e8, "亿"), (1e4, "万")), ((1e9, "bn"), (1e6, "m"), (1e3, "k"))
    steps = zh if language is Language.ZH_CN else en
    size, unit = next((step for step in steps if largest >= step[0]), (1, ""))
    return lambda value: f"{value / size:.4g}{unit}" if value else "0"


def day(on: date, language: Language) -> str:
    if language is Language.ZH_CN:
        return f"{on.year}年{on.month}月{on.day}日"
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"


def instant(at: datetime, tz: ZoneInfo, language: Language) -> str:
    local = at.astimezone(tz)
    gap = " " if language is Language.ZH_CN else ", "
    return f"{day(local.date(), language)}{gap}{local:%H:%M}"


def month(first: date, language: Language) -> str:
    if language is Language.ZH_CN:
        return f"{first.year}年{first.month}月"
    return f"{_MONTHS[first.month - 1][:3]} {first.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
