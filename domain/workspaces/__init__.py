"""Tenants, staff, teams, roles, API keys and versioned settings."""

from domain.workspaces.actions import (
    add_team,
    add_user,
    create,
    create_key,
    join_team,
    preset_set,
    revoke_key,
    schedule_nightly,
    turn_clock,
)
from domain.workspaces.keys import BadCredential, NewKey, authenticate, principal_of_user
from domain.workspaces.models import ApiKey, Team, User, Workspace
from domain.workspaces.queries import (
    Setting,
    find_staff,
    first_with_role,
    get,
    keys,
    nightly_due,
    sandboxes,
    setting,
    staff,
    teams,
    teams_of,
)

__all__ = [
    "ApiKey",
    "BadCredential",
    "NewKey",
    "Setting",
    "Team",
    "User",
    "Workspace",
    "add_team",
    "add_user",
    "authenticate",
    "create",
    "create_key",
    "find_staff",
    "first_with_role",
    "get",
    "join_team",
    "keys",
    "nightly_due",
    "preset_set",
    "principal_of_user",
    "revoke_key",
    "sandboxes",
    "schedule_nightly",
    "setting",
    "staff",
    "teams",
    "teams_of",
    "turn_clock",
]
