"""Publishes the domain's enums under their own names, with a description for each value.

Each concept's `enums` module is imported before its types: an enum that is first met inside a type
would be published without descriptions.
"""

from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain import access, errors, language


def publish(enum: type[Enum], description: str, values: dict[str, str]) -> None:
    strawberry.enum(enum, description=description)
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    missing = {value.name for value in definition.values} ^ set(values)
    assert not missing, f"{enum.__name__}: descriptions do not match its values: {missing}"
    for value in definition.values:
        value.description = values[value.name]


publish(
    errors.ErrorCode,
    "Why something was refused.",
    {
        "NOT_FOUND": "There is no such object here.",
        "INVALID": "A value will not do.",
        "REQUIRED": "A value is missing.",
        "DUPLICATE": "There is one already.",
        "CONFLICT": "The object has changed since it was read.",
        "FORBIDDEN": "Not for this caller.",
        "CLOSED": "The object is closed.",
        "NOT_READY": "Something that must stand first does not.",
        "NOT_SANDBOX": "Only a sandbox can do this.",
        "IDEMPOTENCY_MISMATCH": "The idempotency key stands for another input.",
        "NO_CONSENT": "The customer has not agreed to this.",
        "CHANNEL_REFUSED": "The customer can be reached by no channel for this.",
    },
)
publish(
    access.Role,
    "What a member of staff, or an API key, is here to do.",
    {
        "OWNER": "Owns the workspace; may do everything.",
        "ADMIN": "Runs the workspace: staff, keys, settings, jobs.",
        "OPS_HEAD": "Heads operations: work, campaigns, targets.",
        "TEAM_LEAD": "Leads a team: assigns work and takes its escalations.",
        "PROJECT_LEAD": "Leads campaigns.",
        "PLANNER": "Designs segments, scripts and campaigns.",
        "EXECUTOR": "Does the work: own and team's tasks only.",
        "ANALYST": "Reads figures and builds reports; personal data masked.",
        "SUPPORT": "Keeps reference data; personal data masked.",
    },
)
publish(
    language.Language,
    "A language of labels, templates, reports and pages.",
    {"EN": "English.", "ZH_CN": "Simplified Chinese."},
)
