"""The calendars of the documents, ready to be taken on as schedules."""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.language import Label

WEEK_SECONDS = 7 * 86_400


class SchedulePreset(StrEnum):
    """A calendar of the documents; a schedule made from it bears its name."""

    NIGHTLY_RECOMPUTE = "NIGHTLY_RECOMPUTE"
    NIGHTLY_RANKS = "NIGHTLY_RANKS"
    FREQUENT_PLACEMENT = "FREQUENT_PLACEMENT"
    NIGHTLY_KPIS = "NIGHTLY_KPIS"
    FRIDAY_REVIEW = "FRIDAY_REVIEW"
    MONTH_REPORT = "MONTH_REPORT"
    QUARTER_REPORT = "QUARTER_REPORT"
    MONTHLY_REFIT = "MONTHLY_REFIT"
    NIGHTLY_ALERTS = "NIGHTLY_ALERTS"
    NIGHTLY_HEALTH = "NIGHTLY_HEALTH"


@dataclass(frozen=True)
class Preset:
    """What a schedule made from a preset begins with. The kind belongs to a later concept."""

    label: Label
    kind: str
    cron: str
    catch_up_seconds: int = 86_400
    args: dict[str, str] = field(default_factory=dict)


def _report(label: Label, cron: str) -> Preset:
    return Preset(label, "report_build", cron, WEEK_SECONDS, {"title_en": label.en, "title_zh": label.zh})


PRESETS = {
    # Placed at night, measured when that is done: both are as of the morning's first call.
    SchedulePreset.NIGHTLY_RECOMPUTE: Preset(
        Label("Nightly recompute", "夜间重算"), "segmentation_recompute", "0 2 * * *"
    ),
    # Either of these two, with the one above or in its place: ranks from the running figures, and between
    # nights only those who changed. One that was missed is not worth making up for.
    SchedulePreset.NIGHTLY_RANKS: Preset(
        Label("Nightly ranking", "夜间排名"), "segmentation_exact", "0 1 * * *"
    ),
    SchedulePreset.FREQUENT_PLACEMENT: Preset(
        Label("Placement of those who changed", "变动客户快速分群"), "segmentation_quick", "*/10 * * * *", 600
    ),
    SchedulePreset.NIGHTLY_KPIS: Preset(
        Label("Nightly KPI measurement", "夜间指标测量"), "kpi_snapshot", "0 3 * * *"
    ),
    # S0-92 names the day: the figures lie on the table when the day of the review begins.
    SchedulePreset.FRIDAY_REVIEW: _report(Label("Friday review", "周五复盘"), "0 9 * * 5"),
    # C-42: a month ends on its last calendar day at 18:00.
    SchedulePreset.MONTH_REPORT: _report(Label("Monthly report", "月度报告"), "0 18 L * *"),
    SchedulePreset.QUARTER_REPORT: _report(Label("Quarterly report", "季度报告"), "0 18 L 3,6,9,12 *"),
    SchedulePreset.MONTHLY_REFIT: Preset(
        Label("Monthly prediction refit", "每月预测模型重估"), "prediction_refit", "0 4 1 * *", WEEK_SECONDS
    ),
    # Before the morning, and after the recompute: risk is looked at with what the day before brought.
    SchedulePreset.NIGHTLY_ALERTS: Preset(
        Label("Nightly risk check", "夜间风险预警检查"), "alert_evaluation", "30 3 * * *"
    ),
    SchedulePreset.NIGHTLY_HEALTH: Preset(
        Label("Nightly health scoring", "夜间客户健康度评分"), "health_scoring", "15 3 * * *"
    ),
}


def label_of(name: str) -> Label:
    """What people read for a schedule's name: its preset's words, or the name as somebody gave it."""
    if name in SchedulePreset.__members__:
        return PRESETS[SchedulePreset(name)].label
    return Label(name, name)
