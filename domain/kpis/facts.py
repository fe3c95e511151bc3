"""What a report tells: everything its page and tables are made of, and nothing else."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.kpis.census import Census
from domain.kpis.standing import Kpi
from domain.kpis.trend import Month
from domain.language import Language


@dataclass(frozen=True)
class Facts:
    """Figures of one workspace as of one instant; counts and sums only, no personal data."""

    workspace: str
    title: str
    language: Language
    tz: ZoneInfo
    currency: str
    run_id: int
    as_of: datetime
    computed_at: datetime
    kpis: list[Kpi]
    census: Census
    months: list[Month]
