"""What is measured, what is aimed at, and the reports made of it."""

from domain.kpis.actions import build_report, snapshot, target_set
from domain.kpis.catalogue import (
    CATALOGUE,
    FIRST_TOUCH_24H,
    REPURCHASE_RATE,
    SILENT_SHARE,
    VISIT_COVERAGE,
    Aim,
    Dimension,
    KpiDefinition,
    Unit,
    Window,
)
from domain.kpis.census import Census
from domain.kpis.models import Comparator, KpiSnapshot, KpiTarget, Report
from domain.kpis.queries import (
    Dashboard,
    all_kpis,
    dashboard,
    find,
    get,
    get_report,
    history,
    latest_by_code,
    reports,
    reports_by_ids,
)
from domain.kpis.standing import Kpi, KpiStatus, share, status_of

__all__ = [
    "CATALOGUE",
    "FIRST_TOUCH_24H",
    "REPURCHASE_RATE",
    "SILENT_SHARE",
    "VISIT_COVERAGE",
    "Aim",
    "Census",
    "Comparator",
    "Dashboard",
    "Dimension",
    "Kpi",
    "KpiDefinition",
    "KpiSnapshot",
    "KpiStatus",
    "KpiTarget",
    "Report",
    "Unit",
    "Window",
    "all_kpis",
    "build_report",
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
