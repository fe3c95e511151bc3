"""What is measured, what is aimed at, and the reports made of it."""

from domain.kpis.actions import SETS_TARGETS, build_report, snapshot, target_set
from domain.kpis.catalogue import (
    CATALOGUE,
    FIRST_TOUCH_24H,
    REPURCHASE_RATE,
    SILENT_SHARE,
    VISIT_COVERAGE,
    Aim,
    KpiDefinition,
    KpiDimension,
    KpiUnit,
    Window,
)
from domain.kpis.census import Census
from domain.kpis.models import Comparator, KpiSnapshot, KpiTarget, Report
from domain.kpis.queries import (
    Dashboard,
    all_kpis,
    by_codes,
    dashboard,
    find,
    get,
    get_report,
    history,
    latest_by_code,
    reports,
    reports_by_ids,
)
from domain.kpis.standing import Kpi, KpiStatus, as_decimal, share, status_of

__all__ = [
    "CATALOGUE",
    "FIRST_TOUCH_24H",
    "REPURCHASE_RATE",
    "SETS_TARGETS",
    "SILENT_SHARE",
    "VISIT_COVERAGE",
    "Aim",
    "Census",
    "Comparator",
    "Dashboard",
    "Kpi",
    "KpiDefinition",
    "KpiDimension",
    "KpiSnapshot",
    "KpiStatus",
    "KpiTarget",
    "KpiUnit",
    "Report",
    "Window",
    "all_kpis",
    "as_decimal",
    "build_report",
    "by_codes",
    "dashboard",
    "find",
    "get",
    "get_report",
    "history",
    "latest_by_code",
    "reports",
    "reports_by_ids",
    "share",
    "snapshot",
    "status_of",
    "target_set",
]
