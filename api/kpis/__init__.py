"""KPIs, the dashboard and reports as clients see them."""

from api.kpis.fields import KpiMutations, KpiQueries
from api.kpis.live import KpiSubscriptions
from api.kpis.reports import Report
from api.kpis.types import Dashboard, Kpi

__all__ = ["Dashboard", "Kpi", "KpiMutations", "KpiQueries", "KpiSubscriptions", "Report"]
