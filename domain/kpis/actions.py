"""Sets what a workspace aims at, and asks for snapshots and reports."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from domain import access, db, journal, runs, timekeeping, workspaces
from domain.access import Principal, Role
from domain.errors import Conflict, DomainError, ErrorCode, Forbidden, Problem
from domain.journal import Entry
from domain.kpis import report, snapshots
from domain.kpis.catalogue import definition
from domain.kpis.models import Comparator, KpiTarget
from domain.kpis.standing import PLACES
from domain.language import Language
from domain.runs import Run

SETS_TARGETS = access.ADMINS | {Role.OPS_HEAD}
"""Who may say what a workspace aims at."""


async def target_set(
    who: Principal,
    kpi: str,
    *,
    target: Decimal,
    comparator: Comparator,
    baseline: Decimal | None = None,
    due_on: date | None = None,
    expected_version: int | None = None,
) -> KpiTarget:
    """Aim a KPI at a share from now on; the same aim again changes nothing.

    Baseline and target are absolute shares, so that "+15 %" is never read two ways (C-13).
    Measurements are kept as counts: the new aim holds for the latest one at once. The catalogue's own
    aim counts as version 0.
    """
    if who.role not in SETS_TARGETS:
        raise Forbidden("only an owner, admin or head of operations sets targets")
    code = definition(kpi).code
    _check_shares(target=target, baseline=baseline)
    wanted = {
        "baseline": None if baseline is None else baseline.quantize(PLACES),
        "target": target.quantize(PLACES),
        "comparator": comparator,
        "due_on": due_on,
    }
    async with db.transaction():
        found = await KpiTarget.get_or_none(workspace_id=who.workspace_id, kpi=code)
        seen = found.version if found else 0
        if expected_version is not None and expected_version != seen:
            raise Conflict(
                f"expected version {expected_version}, it is {seen}", field="expectedVersion", current=found
            )
        if found is not None and all(getattr(found, name) == value for name, value in wanted.items()):
            return found
        now = await timekeeping.now(who.workspace_id)
        if found is None:
            found = await _add(who.workspace_id, code, wanted, now)
        else:
            await found.must_change(updated_at=now, **wanted)
        await journal.write(who, Entry("kpi_target.changed", found.id, data={"kpi": code}))
    return found


async def _add(workspace_id: int, kpi: str, aim: dict[str, Any], now: datetime) -> KpiTarget:
    record = {"workspace_id": workspace_id, "version": 1, "kpi": kpi, "updated_at": now, **aim}
    made = await db.insert_many(
        "kpi_targets", [record], then="ON CONFLICT (workspace_id, kpi) DO NOTHING", returning="id"
    )
    if not made:
        raise Conflict("somebody else has just set this target")
    return await KpiTarget.get(workspace_id=workspace_id, id=made[0]["id"])


def _check_shares(**shares: Decimal | None) -> None:
    problems = [
        Problem(ErrorCode.INVALID, f"{name} is a share from 0 to 1, to six places at most", ("input", name))
        for name, value in shares.items()
        if value is not None
        and not (value.is_finite() and 0 <= value <= 1 and value == value.quantize(PLACES))
    ]
    if problems:
        raise DomainError.of(problems)


async def snapshot(who: Principal) -> Run:
    """Ask for all KPIs to be measured; whoever asks while one waits gets that run."""
    _must_build(who)
    return await runs.enqueue(who, snapshots.KIND, unique_key="all")


async def build_report(who: Principal, title: str | None = None, language: Language | None = None) -> Run:
    """Ask for a report, in the workspace's language unless another is named; its result has the id."""
    _must_build(who)
    title = report.clean_title(title, "input.title")
    spoken = language or (await workspaces.get(who.workspace_id)).language
    return await runs.enqueue(who, report.KIND, {"title": title, "language": spoken.value})


def _must_build(who: Principal) -> None:
    if who.role not in access.BUILDERS:
        raise Forbidden("only owners, admins, heads of operations and analysts start snapshots and reports")
