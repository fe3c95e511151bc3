"""The closed sets of words of predictions, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import predictions

publish(
    predictions.WarningRule,
    "Whom a back-test warns of on its first day, and who then counts as lost.",
    {
        "NOT_ALIVE": "Warned: gone is likelier than alive. Lost: no order later than 30 days after the "
        "warning. Who has ordered on one day only is never warned of.",
        "NO_ORDER": "Warned: no order until the back-test's end is likelier than one. Lost: no order later "
        "than 30 days after the warning.",
        "QUIET_30_DAYS": "Warned: no order within 30 days is likelier than one. Lost: no order within them.",
    },
)
