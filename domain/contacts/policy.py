"""Whether, how and when a customer may be contacted: a pure decision that gives its reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.contacts.models import Channel, Purpose, Verdict
from domain.contacts.windows import Window, next_opening

PERSONAL = frozenset({Channel.PHONE, Channel.WECHAT, Channel.WECOM, Channel.ONSITE})
"""Channels on which one person speaks with another."""

SUBSTITUTES: Mapping[Channel, tuple[Channel, ...]] = {
    Channel.PHONE: (Channel.WECHAT, Channel.WECOM, Channel.SMS, Channel.EMAIL, Channel.ONSITE),
    Channel.WECHAT: (Channel.WECOM, Channel.SMS, Channel.EMAIL, Channel.PHONE, Channel.ONSITE),
    Channel.WECOM: (Channel.WECHAT, Channel.SMS, Channel.EMAIL, Channel.PHONE, Channel.ONSITE),
    Channel.SMS: (Channel.WECHAT, Channel.WECOM, Channel.EMAIL, Channel.PHONE, Channel.ONSITE),
    Channel.EMAIL: (Channel.WECHAT, Channel.WECOM, Channel.SMS, Channel.PHONE, Channel.ONSITE),
    Channel.ONSITE: (Channel.PHONE, Channel.WECHAT, Channel.WECOM, Channel.SMS, Channel.EMAIL),
}
"""What replaces a channel that a customer does not take, first choice first (C-26, S0-29)."""


class ContactReasonCode(StrEnum):
    """What a step of the contact policy found."""

    CONSENT_NOT_NEEDED = "CONSENT_NOT_NEEDED"
    CONSENT_GIVEN = "CONSENT_GIVEN"
    NO_STATEMENT = "NO_STATEMENT"
    NO_CONSENT = "NO_CONSENT"
    CHANNEL_ALLOWED = "CHANNEL_ALLOWED"
    CHANNEL_REFUSED = "CHANNEL_REFUSED"
    WINDOW_OPEN = "WINDOW_OPEN"
    RECEIVE_WINDOW = "RECEIVE_WINDOW"


class ContactRule(StrEnum):
    """A step of the contact policy."""

    CONSENT = "CONSENT"
    CHANNEL = "CHANNEL"
    WINDOW = "WINDOW"


@dataclass(frozen=True)
class Statement:
    """What a customer last said about a purpose."""

    granted: bool
    stated_at: datetime


@dataclass(frozen=True)
class Facts:
    """What is known of one customer; windows are in `zone`, the workspace's."""

    zone: ZoneInfo
    allowed: Sequence[Channel] = ()
    refused: Sequence[Channel] = ()
    windows: Sequence[Window] = ()
    consents: Mapping[Purpose, Statement] = field(default_factory=dict)

    def takes(self, channel: Channel) -> bool:
        return channel not in self.refused and (not self.allowed or channel in self.allowed)


@dataclass(frozen=True)
class Wanted:
    """A contact that somebody plans. `personal`: one person speaks with another."""

    channel: Channel
    at: datetime
    purpose: Purpose
    personal: bool


@dataclass(frozen=True)
class Reason:
    """One step: its rule, what it says, the value that it looked at, and what it held it against."""

    rule: ContactRule
    code: ContactReasonCode
    verdict: Verdict
    value: str
    limit: str

    def document(self) -> dict[str, str]:
        return {
            "rule": self.rule.value,
            "code": self.code.value,
            "verdict": self.verdict.value,
            "value": self.value,
            "limit": self.limit,
        }


@dataclass(frozen=True)
class Decision:
    """The strongest verdict of all steps, and each step's reason.

    A refused contact has neither channel nor time.
    """

    verdict: Verdict
    channel: Channel | None
    at: datetime | None
    reasons: tuple[Reason, ...]


_WEAKEST_FIRST = (Verdict.ALLOWED, Verdict.DEFERRED, Verdict.SUBSTITUTED, Verdict.REFUSED)


def decide(facts: Facts, wanted: Wanted) -> Decision:
    """Consent, then channel, then hour (S2-66, S0-98, S2-27): refuses, replaces or puts off, never drops.

    All three steps are always told, so that a refusal by consent shows a refused channel as well.
    """
    consent = _consent(facts, wanted.purpose)
    channel, taken = _channel(facts, wanted)
    window, at = _window(facts, wanted.at)
    reasons = (consent, taken, window)
    verdict = max((reason.verdict for reason in reasons), key=_WEAKEST_FIRST.index)
    if verdict is Verdict.REFUSED:
        return Decision(verdict, None, None, reasons)
    return Decision(verdict, channel, at, reasons)


def _consent(facts: Facts, purpose: Purpose) -> Reason:
    """Marketing is refused to whoever said no; silence is noted and does not refuse (S2-66, C-48)."""
    said = facts.consents.get(purpose)
    if purpose is Purpose.SERVICE:
        code, value = ContactReasonCode.CONSENT_NOT_NEEDED, "no consent needed"
    elif said is None:
        code, value = ContactReasonCode.NO_STATEMENT, "no statement"
    elif said.granted:
        code, value = ContactReasonCode.CONSENT_GIVEN, f"granted {said.stated_at.isoformat()}"
    else:
        code, value = ContactReasonCode.NO_CONSENT, f"withdrawn {said.stated_at.isoformat()}"
    verdict = Verdict.REFUSED if code is ContactReasonCode.NO_CONSENT else Verdict.ALLOWED
    return Reason(ContactRule.CONSENT, code, verdict, value, purpose.value)


def _channel(facts: Facts, wanted: Wanted) -> tuple[Channel | None, Reason]:
    order: Sequence[Channel] = SUBSTITUTES[wanted.channel]
    if wanted.personal:
        order = sorted(order, key=lambda channel: channel not in PERSONAL)
    chosen = next(filter(facts.takes, (wanted.channel, *order)), None)
    if chosen is wanted.channel:
        code, verdict = ContactReasonCode.CHANNEL_ALLOWED, Verdict.ALLOWED
    else:
        code = ContactReasonCode.CHANNEL_REFUSED
        verdict = Verdict.SUBSTITUTED if chosen else Verdict.REFUSED
    takes = ", ".join(channel.value for channel in Channel if facts.takes(channel))
    return chosen, Reason(ContactRule.CHANNEL, code, verdict, wanted.channel.value, takes or "none")


def _window(facts: Facts, at: datetime) -> tuple[Reason, datetime]:
    value = at.astimezone(facts.zone).strftime("%H:%M")
    limit = ", ".join(str(window) for window in facts.windows) or "any time"
    moved = next_opening(facts.windows, at, facts.zone)
    if moved == at:
        return Reason(ContactRule.WINDOW, ContactReasonCode.WINDOW_OPEN, Verdict.ALLOWED, value, limit), moved
    return Reason(ContactRule.WINDOW, ContactReasonCode.RECEIVE_WINDOW, Verdict.DEFERRED, value, limit), moved
