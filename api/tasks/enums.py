"""The closed sets of words of tasks, published with their descriptions before any type uses them."""

from api.enums import publish
from domain import tasks

publish(
    tasks.TaskState,
    "Where a task stands. Overdue is no state: see `Task.overdue`.",
    {
        "OPEN": "Waits to be begun.",
        "IN_PROGRESS": "Somebody is at it.",
        "SNOOZED": "Put off to an instant.",
        "DONE": "Completed, with an outcome.",
        "CANCELLED": "Not to be done any more.",
    },
)
publish(
    tasks.TaskKind,
    "What the work is.",
    {
        "FIRST_TOUCH": "First contact with a lead.",
        "POST_DELIVERY_CALLBACK": "Call-back after a delivery, with two scores.",
        "VISIT": "A visit that the customer's tier asks for.",
        "CAMPAIGN": "A contact of a campaign.",
        "GENERAL": "Anything else.",
    },
)
publish(
    tasks.Priority,
    "How urgent a task is.",
    {"URGENT": "Before all else.", "HIGH": "Soon.", "NORMAL": "In its turn.", "LOW": "When there is time."},
)
publish(
    tasks.TaskResult,
    "How the work ended.",
    {
        "REACHED": "The customer was reached.",
        "NO_ANSWER": "Nobody answered.",
        "REFUSED": "The customer did not want it.",
        "WRONG_ADDRESS": "The number or address is wrong.",
    },
)
publish(
    tasks.SlaState,
    "How a task stands against its deadline.",
    {
        "RUNNING": "The deadline has not passed.",
        "MET": "Satisfied in time.",
        "BREACHED": "The deadline passed and it is not satisfied.",
        "MET_LATE": "Satisfied after the deadline.",
        "CANCELLED": "Cancelled before either.",
    },
)
publish(
    tasks.QuotaState,
    "How a customer's visits stand against what their tier asks for.",
    {
        "DONE": "All visits of the period are done.",
        "ON_TRACK": "As many are done as should be by now.",
        "BEHIND": "Fewer are done than should be by now.",
    },
)
