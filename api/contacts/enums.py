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
