"""The workspace, its staff and its keys as clients see them."""

from api.workspaces.changes import StaffMutations
from api.workspaces.fields import WorkspaceMutations, WorkspaceQueries
from api.workspaces.types import ApiKey, Team, User, Viewer, Workspace

__all__ = [
    "ApiKey",
    "StaffMutations",
    "Team",
    "User",
    "Viewer",
    "Workspace",
    "WorkspaceMutations",
    "WorkspaceQueries",
]
