"""The closed sets of words of contacts, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import contacts

publish(
    contacts.Channel,
    "A way of reaching a customer.",
    {
        "PHONE": "A call.",
        "WECHAT": "A WeChat message.",
        "WECOM": "A WeCom chat.",
        "SMS": "A short message.",
        "EMAIL": "A mail.",
        "ONSITE": "A visit in person.",
    },
)
publish(
    contacts.Purpose,
    "What a contact is for.",
    {"SERVICE": "Service to the customer.", "MARKETING": "Promotion; needs that consent is not withdrawn."},
)
publish(
    contacts.ProfilePart,
    "Something that is known of a customer whose profile is whole.",
    {
        "NAME": "The name.",
        "COMPANY": "The company they stand for.",
        "PHONE": "A telephone number.",
        "EMAIL": "An e-mail address.",
        "OWNER": "Who looks after them.",
        "CONTACT_PREFERENCE": "How they wish to be reached.",
        "MARKETING_CONSENT": "What they said about promotion, yes or no.",
        "NEED_PROFILE": "What they need.",
    },
)
publish(
    contacts.Direction,
    "Who began a contact.",
    {"OUTBOUND": "We did.", "INBOUND": "The customer did."},
)
publish(
    contacts.ContactResult,
    "What came of a contact.",
    {
        "REACHED": "The customer was reached.",
        "NO_ANSWER": "Nobody answered.",
        "REFUSED": "The customer did not want it.",
        "WRONG_ADDRESS": "The number or address is wrong.",
    },
)
publish(
    contacts.Verdict,
    "What the contact policy says to a planned contact.",
    {
        "ALLOWED": "As wanted.",
        "DEFERRED": "Later: at the next instant at which the customer welcomes contact.",
        "SUBSTITUTED": "By another channel.",
        "REFUSED": "Not at all.",
    },
)
publish(
    contacts.ContactRule,
    "A step of the contact policy.",
    {
        "CONSENT": "Has the customer agreed to this purpose?",
        "CHANNEL": "Does the customer take this channel?",
        "WINDOW": "Does the customer welcome contact at this hour?",
    },
)
publish(
    contacts.ContactReasonCode,
    "What a step of the contact policy found.",
    {
        "CONSENT_NOT_NEEDED": "Service needs no consent.",
        "CONSENT_GIVEN": "The customer agreed.",
        "NO_STATEMENT": "The customer never said anything about it; noted, and not refused.",
        "NO_CONSENT": "The customer said no.",
        "CHANNEL_ALLOWED": "The customer takes the wanted channel.",
        "CHANNEL_REFUSED": "The customer does not take the wanted channel.",
        "WINDOW_OPEN": "The customer welcomes contact at the wanted hour.",
        "RECEIVE_WINDOW": "The wanted hour lies outside the customer's receive windows.",
    },
)
