"""What people do about alerts: have everybody looked at now, and close one with its outcome."""

from domain import db, journal, runs, timekeeping
from domain.access import BUILDERS, FRONT_LINE, Principal
from domain.alerts import facts
from domain.alerts.errors import AlertClosed
from domain.alerts.evaluating import close as closed
from domain.alerts.evaluating import evaluate, hold
from domain.alerts.models import Alert, AlertOutcome, AlertState
from domain.alerts.nightly import KIND
from domain.errors import Forbidden, Invalid
from domain.runs import Run

LONGEST_NOTE = 4000
BY_HAND = frozenset({AlertOutcome.REACTIVATED, AlertOutcome.LOST, AlertOutcome.MISTAKEN})


async def evaluate_all(who: Principal) -> Run:
    """Ask for all customers to be looked at; whoever asks while such a run waits gets that one."""
    if who.role not in BUILDERS:
        raise Forbidden("only an owner, admin, head of operations or analyst starts an evaluation")
    return await runs.enqueue(who, KIND, unique_key="all")


async def watch(who: Principal, customer_id: int) -> int:
    """Something happened to a customer: look whether it says anything of a risk; how many alerts changed."""
    now = await timekeeping.now(who.workspace_id)
    return await evaluate(who, await facts.suspects(who.workspace_id, customer_id - 1, customer_id, now))


async def close(
    who: Principal, alert_id: int, outcome: AlertOutcome, note: str = "", expected_version: int | None = None
) -> Alert:
    """Close an alert for good with what became of the customer (S4-68).

    What was the matter is not raised again until a whole period lies behind that, and the contacts that
    were left unanswered no longer count.
    """
    if who.role not in FRONT_LINE:
        raise Forbidden("only the front line closes alerts")
    if outcome not in BY_HAND:
        raise Invalid("this is for the machine to say", field="input.outcome")
    if len(note) > LONGEST_NOTE:
        raise Invalid(f"note has at most {LONGEST_NOTE} characters", field="input.note")
    async with db.transaction():
        await hold(who.workspace_id)
        alert = await Alert.load(who.workspace_id, alert_id)
        alert.expect(expected_version)
        if alert.state is AlertState.CLOSED:
            raise AlertClosed("this alert is closed already", current=alert)
        now = await timekeeping.now(who.workspace_id)
        await journal.write(who, await closed(alert, outcome, now, by_hand=True, note=note))
        await evaluate(who, [alert.customer_id])
    return alert
