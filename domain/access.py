"""Who asks, and what they may do."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a member of staff, or an API key, is here to do."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    OPS_HEAD = "OPS_HEAD"
    TEAM_LEAD = "TEAM_LEAD"
    PROJECT_LEAD = "PROJECT_LEAD"
    PLANNER = "PLANNER"
    EXECUTOR = "EXECUTOR"
    ANALYST = "ANALYST"
    SUPPORT = "SUPPORT"


EVERYONE = frozenset(Role)
ADMINS = frozenset({Role.OWNER, Role.ADMIN})
LEADS = ADMINS | {Role.OPS_HEAD, Role.TEAM_LEAD, Role.PROJECT_LEAD}
PLANNERS = ADMINS | {Role.OPS_HEAD, Role.PROJECT_LEAD, Role.PLANNER}
FRONT_LINE = LEADS | {Role.EXECUTOR}
BUILDERS = ADMINS | {Role.OPS_HEAD, Role.ANALYST}
"""Who may start recomputes, snapshots and reports (S0-71: the data group runs them)."""

SEES_PERSONAL = EVERYONE - {Role.ANALYST, Role.SUPPORT}
"""Analysts and the support group see personal fields masked (S0-71, S0-72)."""

OWN_WORK_ONLY = frozenset({Role.EXECUTOR})
"""Roles that see their own and their teams' tasks, and no others (S0-70)."""


@dataclass(frozen=True)
class Principal:
    """One caller in one workspace: a `user`, `api_key` or `run` with that row's id, or the machine with 0."""

    workspace_id: int
    role: Role
    kind: str
    id: int
    user_id: int | None = None
    team_ids: tuple[int, ...] = ()
    scopes: frozenset[str] = field(default_factory=frozenset)
    """Names of the operations an API key may use; empty means all that the role may."""
    topics: frozenset[str] = field(default_factory=frozenset)
    """Topics of the live feed that an API key may follow; empty means all."""

    @property
    def label(self) -> str:
        """How journal lines and runs name the caller, such as `user:3` or `timer`: no personal data."""
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @property
    def sees_personal(self) -> bool:
        return self.role in SEES_PERSONAL

    @property
    def own_work_only(self) -> bool:
        return self.role in OWN_WORK_ONLY


def system(workspace_id: int, what: str = "system", number: int = 0) -> Principal:
    """The machine itself, acting in one workspace: a timer, a reaction, or the run of this number."""
    return Principal(workspace_id=workspace_id, role=Role.OWNER, kind=what, id=number)
