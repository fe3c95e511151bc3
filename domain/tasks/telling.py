"""Who is told of what happens: whoever sees their own work only, of that and of their own customers."""

from collections.abc import Sequence

from tortoise.expressions import Q

from domain.access import Principal
from domain.customers import Customer
from domain.journal import JournalLine
from domain.tasks.models import OPEN_STATES
from domain.tasks.queries import visible

FOR_ALL = frozenset({"run", "kpi", "kpi_target", "campaign", "segment"})
"""Subjects that are nobody's customer and nobody's work."""


async def told(who: Principal, lines: Sequence[JournalLine]) -> list[JournalLine]:
    """Those of the lines, all of this principal's workspace, that are for it.

    Of tasks, those that it may see. Of everything else about a customer, where a role sees its own work
    only, what is about customers of its own; what names no customer is then for nobody.
    """
    lines = [line for line in lines if line.workspace_id == who.workspace_id]
    if not who.own_work_only:
        return lines
    tasks = {line.subject_id for line in lines if line.subject == "task"}
    if tasks:
        tasks = {row.id for row in await visible(who).filter(id__in=tasks).only("id")}
    customers = await _own_customers(who, {line.customer_id for line in lines if _is_of_customer(line)})
    return [
        line
        for line in lines
        if line.subject in FOR_ALL
        or (line.subject == "task" and line.subject_id in tasks)
        or (_is_of_customer(line) and line.customer_id in customers)
    ]


def _is_of_customer(line: JournalLine) -> bool:
    return line.subject != "task" and line.subject not in FOR_ALL and line.customer_id is not None


async def _own_customers(who: Principal, ids: set[int | None]) -> set[int]:
    """Customers that they look after, or that open work of theirs or of their teams' is about.

    Work that is nobody's yet makes nobody's customer theirs.
    """
    if not ids:
        return set()
    work = visible(who).filter(
        Q(assignee_id__isnull=False) | Q(team_id__isnull=False),
        customer_id__in=ids,
        state__in=list(OPEN_STATES),
    )
    found = {row.customer_id for row in await work.only("id", "customer_id")}
    if who.user_id is not None:
        owned = Customer.filter(workspace_id=who.workspace_id, id__in=ids, owner_id=who.user_id)
        found |= {row.id for row in await owned.only("id")}
    return found
