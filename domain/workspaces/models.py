"""A tenant, its staff and what it has set."""

from tortoise import Model, fields

from domain.access import Role
from domain.db import Document, Index, Instant, Reference, choice
from domain.language import Language
from domain.records import Record


class Workspace(Model):
    """One company's customers, staff and settings; nothing crosses to another."""

    id = fields.BigIntField(primary_key=True)
    name = fields.CharField(max_length=120)
    zone = fields.CharField(max_length=64, default="Asia/Shanghai")
    currency = fields.CharField(max_length=3, default="CNY")
    language = choice(Language, default=Language.ZH_CN)
    sandbox = fields.BooleanField(default=False)
    """A sandbox has a clock that stands still until it is turned; fixed at creation."""
    clock_at = Instant(null=True)
    next_nightly_at = Instant(null=True)
    """Empty since the nightly recompute is a schedule; the next version goes without it."""
    created_at = Instant()
    version = fields.IntField(default=1)

    class Meta:
        table = "workspaces"
        indexes = [Index(("next_nightly_at",), "workspaces_nightly", where="next_nightly_at IS NOT NULL")]


class User(Record):
    """A member of staff."""

    name = fields.CharField(max_length=120)
    email = fields.CharField(max_length=254)
    role = choice(Role)
    active = fields.BooleanField(default=True)
    subject = fields.CharField(max_length=255, null=True)
    """Who they are to the identity provider; none: they come in by API keys alone."""
    created_at = Instant()

    class Meta:
        table = "users"
        indexes = [
            Index(("workspace_id", "subject"), "users_subject", unique=True, where="subject IS NOT NULL"),
            Index(("subject",), "users_token", where="subject IS NOT NULL"),
            Index(("workspace_id", "email"), "users_email", unique=True),
            Index(("workspace_id", "role", "id"), "users_role"),
        ]


class Team(Record):
    name = fields.CharField(max_length=120)
    created_at = Instant()

    class Meta:
        table = "teams"
        indexes = [Index(("workspace_id", "name"), "teams_name", unique=True)]


class TeamMember(Model):
    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    team_id = Reference("teams")
    user_id = Reference("users")

    class Meta:
        table = "team_members"
        indexes = [
            Index(("workspace_id", "team_id", "user_id"), "team_members_pair", unique=True),
            Index(("workspace_id", "user_id"), "team_members_user"),
        ]


class ApiKey(Record):
    """A credential for a program. Only a hash of its secret is stored."""

    name = fields.CharField(max_length=120)
    key_id = fields.CharField(max_length=32)
    secret_hash = fields.CharField(max_length=64)
    role = choice(Role)
    user_id = Reference("users", null=True)
    scopes = Document()
    topics = Document()
    expires_at = Instant(null=True)
    revoked_at = Instant(null=True)
    last_used_at = Instant(null=True)
    created_at = Instant()

    class Meta:
        table = "api_keys"
        indexes = [
            Index(("key_id",), "api_keys_key", unique=True),
            Index(("workspace_id", "id"), "api_keys_list"),
        ]


class SettingVersion(Model):
    """One version of one group of business settings; versions are only ever added."""

    id = fields.BigIntField(primary_key=True)
    workspace_id = fields.BigIntField()
    name = fields.CharField(max_length=64)
    number = fields.IntField()
    preset = fields.CharField(max_length=64)
    value = Document()
    actor = fields.CharField(max_length=64)
    created_at = Instant()

    class Meta:
        table = "setting_versions"
        indexes = [Index(("workspace_id", "name", "number"), "setting_versions_number", unique=True)]
