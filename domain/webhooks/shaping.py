"""What a message says: who knows how to ask for it registers here, since the domain knows no documents."""

from collections.abc import Collection
from typing import Any, Protocol

from domain import sealing
from domain.access import Principal, Role
from domain.journal import JournalLine
from domain.settings import Profile, Settings
from domain.webhooks.addresses import Outbound
from domain.webhooks.models import Webhook


class Shaper(Protocol):
    """Makes messages of lines, as a principal may see what they are about."""

    async def check(self, who: Principal, document: str) -> None:
        """Refuses a document that could never be answered to this principal."""

    async def shape(self, who: Principal, document: str | None, line: JournalLine) -> dict[str, Any] | None:
        """The message about a line; none where the document leaves the line out."""


class _Ways:
    """How this process shapes and sends; set once at its start."""

    shaper: Shaper | None = None
    outbound: Outbound = Outbound()
    seconds: float = 10
    """How long it may take to make one message."""


WAYS = _Ways()


def sent_by(settings: Settings) -> None:
    """Keep secrets and send messages as this process's settings have it."""
    sealing.unlock(settings.secret_key.get_secret_value())
    allowed = frozenset(host.lower() for host in settings.webhook_allowed)
    WAYS.seconds = settings.operation_seconds
    WAYS.outbound = Outbound(settings.profile is Profile.PRODUCTION, allowed)


def the_shaper() -> Shaper:
    assert WAYS.shaper is not None, "the composition root registers one"
    return WAYS.shaper


def principal_of(webhook: Webhook) -> Principal:
    """As whom a webhook is told things."""
    return principal(webhook.role, webhook.workspace_id, webhook.topics, webhook.scopes, webhook.id)


def principal(
    role: Role, workspace_id: int, topics: Collection[str], scopes: Collection[str], number: int = 0
) -> Principal:
    """The principal that a webhook with these would be."""
    return Principal(
        workspace_id=workspace_id,
        role=role,
        kind="webhook",
        id=number,
        scopes=frozenset(scopes),
        topics=frozenset(topics),
    )
