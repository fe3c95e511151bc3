"""The contact policy: consent, then channel, then hour."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.contacts import Channel, ContactReasonCode, Facts, Purpose, Statement, Verdict, Wanted, decide
from domain.contacts.policy import SUBSTITUTES
from domain.contacts.windows import parse

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2025, 3, 3, 20, tzinfo=SHANGHAI)
MORNING = datetime(2025, 3, 4, 9, tzinfo=SHANGHAI)
LIMITED = Facts(SHANGHAI, allowed=[Channel.SMS, Channel.WECHAT], windows=parse([("09:00", "12:00")]))


def wanted(
    channel: Channel,
    at: datetime = MORNING,
    purpose: Purpose = Purpose.SERVICE,
    personal: bool = False,
) -> Wanted:
    return Wanted(channel, at, purpose, personal)


def said(granted: bool) -> dict[Purpose, Statement]:
    return {Purpose.MARKETING: Statement(granted, datetime(2025, 3, 1, tzinfo=UTC))}


def test_a_message_in_the_evening_waits_for_the_morning_window() -> None:
    decision = decide(LIMITED, wanted(Channel.SMS, EVENING))
    assert (decision.verdict, decision.channel, decision.at) == (Verdict.DEFERRED, Channel.SMS, MORNING)
    assert [reason.document() for reason in decision.reasons] == [
        {
            "rule": "CONSENT",
            "code": "CONSENT_NOT_NEEDED",
            "verdict": "ALLOWED",
            "value": "no consent needed",
            "limit": "SERVICE",
        },
        {
            "rule": "CHANNEL",
            "code": "CHANNEL_ALLOWED",
            "verdict": "ALLOWED",
            "value": "SMS",
            "limit": "WECHAT, SMS",
        },
        {
            "rule": "WINDOW",
            "code": "RECEIVE_WINDOW",
            "verdict": "DEFERRED",
            "value": "20:00",
            "limit": "09:00-12:00",
        },
    ]


def test_a_phone_visit_is_replaced_by_wechat() -> None:
    decision = decide(LIMITED, wanted(Channel.PHONE, personal=True))
    assert (decision.verdict, decision.channel, decision.at) == (
        Verdict.SUBSTITUTED,
        Channel.WECHAT,
        MORNING,
    )


def test_replaced_and_put_off_is_named_by_the_stronger_and_tells_both() -> None:
    decision = decide(LIMITED, wanted(Channel.PHONE, EVENING, personal=True))
    assert (decision.verdict, decision.channel, decision.at) == (
        Verdict.SUBSTITUTED,
        Channel.WECHAT,
        MORNING,
    )
    assert [reason.verdict for reason in decision.reasons] == [
        Verdict.ALLOWED,
        Verdict.SUBSTITUTED,
        Verdict.DEFERRED,
    ]


def test_without_any_wish_everything_is_allowed_as_wanted() -> None:
    decision = decide(Facts(SHANGHAI), wanted(Channel.PHONE, EVENING))
    assert (decision.verdict, decision.channel, decision.at) == (Verdict.ALLOWED, Channel.PHONE, EVENING)


def test_a_withdrawn_consent_refuses_marketing_and_no_service() -> None:
    facts = Facts(SHANGHAI, consents=said(False))
    refused = decide(facts, wanted(Channel.SMS, purpose=Purpose.MARKETING))
    assert (refused.verdict, refused.channel, refused.at) == (Verdict.REFUSED, None, None)
    assert refused.reasons[0].code is ContactReasonCode.NO_CONSENT
    assert refused.reasons[0].value == "withdrawn 2025-03-01T00:00:00+00:00"
    assert decide(facts, wanted(Channel.SMS)).verdict is Verdict.ALLOWED


def test_silence_about_marketing_is_noted_and_allowed() -> None:
    decision = decide(Facts(SHANGHAI), wanted(Channel.SMS, purpose=Purpose.MARKETING))
    assert decision.verdict is Verdict.ALLOWED
    assert (decision.reasons[0].code, decision.reasons[0].value) == (
        ContactReasonCode.NO_STATEMENT,
        "no statement",
    )


def test_a_given_consent_is_told_with_its_time() -> None:
    decision = decide(Facts(SHANGHAI, consents=said(True)), wanted(Channel.SMS, purpose=Purpose.MARKETING))
    assert decision.reasons[0].value == "granted 2025-03-01T00:00:00+00:00"


def test_whoever_refuses_every_channel_is_not_contacted() -> None:
    decision = decide(Facts(SHANGHAI, refused=list(Channel)), wanted(Channel.EMAIL))
    assert (decision.verdict, decision.channel, decision.at) == (Verdict.REFUSED, None, None)
    assert (decision.reasons[1].code, decision.reasons[1].limit) == (
        ContactReasonCode.CHANNEL_REFUSED,
        "none",
    )


def test_a_refusal_by_consent_still_tells_of_a_refused_channel() -> None:
    facts = Facts(SHANGHAI, refused=list(Channel), consents=said(False))
    decision = decide(facts, wanted(Channel.SMS, purpose=Purpose.MARKETING))
    assert [reason.code for reason in decision.reasons[:2]] == [
        ContactReasonCode.NO_CONSENT,
        ContactReasonCode.CHANNEL_REFUSED,
    ]


@pytest.mark.parametrize(
    ("takes", "personal", "chosen"),
    [
        ([Channel.SMS, Channel.ONSITE], True, Channel.ONSITE),
        ([Channel.SMS, Channel.ONSITE], False, Channel.SMS),
        ([Channel.EMAIL, Channel.SMS], True, Channel.SMS),
        ([Channel.EMAIL, Channel.WECOM, Channel.WECHAT], False, Channel.WECHAT),
    ],
)
def test_a_personal_contact_stays_personal_where_it_can(
    takes: list[Channel], personal: bool, chosen: Channel
) -> None:
    decision = decide(Facts(SHANGHAI, allowed=takes), wanted(Channel.PHONE, personal=personal))
    assert decision.channel is chosen


@pytest.mark.parametrize("channel", Channel)
def test_every_other_channel_can_stand_in(channel: Channel) -> None:
    assert {channel, *SUBSTITUTES[channel]} == set(Channel)
    for only in SUBSTITUTES[channel]:
        assert decide(Facts(SHANGHAI, allowed=[only]), wanted(channel)).channel is only
