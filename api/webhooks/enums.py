"""How messages to partners stand, published with their descriptions."""

from api.enums import publish
from domain import webhooks

publish(
    webhooks.DeliveryState,
    "Where one message to a partner stands.",
    {
        "PENDING": "Waits to be sent, for another try, or for one before it about the same subject.",
        "DELIVERED": "The receiver took it.",
        "FAILED": "Given up after 24 hours, while others arrived; it can be replayed.",
        "SKIPPED": "Not sent: the document leaves it out, or somebody had it skipped.",
    },
)
publish(
    webhooks.AttemptError,
    "Why an attempt was none that counts.",
    {
        "ADDRESS": "The name leads to an address that is not public.",
        "NAME": "The name leads nowhere.",
        "CONNECTION": "No connection, or one that broke off; a bad certificate too.",
        "TIMEOUT": "No whole answer within five seconds.",
        "PROTOCOL": "What came back is no HTTP.",
        "TOO_LARGE": "The answer is larger than 1 MB.",
        "REDIRECT": "The receiver sent us elsewhere, where we do not go.",
        "STATUS": "The receiver answered with another status than 2xx.",
        "UNPREPARED": "Nothing was sent: it took longer to make than an operation may. Ask for less.",
    },
)
publish(
    webhooks.DisabledReason,
    "Why a webhook is told nothing more.",
    {
        "BY_HAND": "Somebody disabled it.",
        "FAILED_FOR_A_DAY": "Its receiver took nothing for 24 hours.",
        "GONE": "Its receiver answered 410.",
        "SECRET_UNREADABLE": "Its secret cannot be read under the present CARELINE_SECRET_KEY.",
        "INTERNAL": "Careline failed to prepare its messages.",
    },
)
