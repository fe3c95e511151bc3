"""Holds a database, by SQL alone, and the clients' logs against every promise; independent of Careline's code."""

import base64
import time
from collections import Counter

from tests.faults.load import ROWS, Load
from tests.faults.town import Rows, Town

UNSETTLED = {
    "runs that do not end": (
        "SELECT id, kind, state, attempt, deaths, worker, error_code FROM runs "
        "WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELLED')"
    ),
    "lines without a place": "SELECT id, name FROM journal WHERE position IS NULL",
    "lines without a reaction": "SELECT workspace_id, reacted, head FROM feeds WHERE reacted < head",
    "escalations that do not come": (
        "SELECT id, rung, next_escalation_at FROM tasks WHERE state = 'OPEN' AND rung < 2 "
        "AND kind = 'FIRST_TOUCH'"
    ),
}
NONE = {
    "orders doubled": "SELECT external_id FROM orders GROUP BY external_id HAVING count(*) > 1",
    "leads doubled": "SELECT external_id FROM leads GROUP BY external_id HAVING count(*) > 1",
    "leads without their one first touch": (
        "SELECT l.id FROM leads l LEFT JOIN tasks t ON t.customer_id = l.customer_id "
        "AND t.kind = 'FIRST_TOUCH' GROUP BY l.id HAVING count(t.id) <> 1"
    ),
    "tasks doubled": (
        "SELECT dedupe_key FROM tasks WHERE state <> 'CANCELLED' GROUP BY dedupe_key HAVING count(*) > 1"
    ),
    "tasks not told of once": (
        "SELECT t.id FROM tasks t LEFT JOIN journal j ON j.name = 'task.opened' AND j.subject_id = t.id "
        "GROUP BY t.id HAVING count(j.id) <> 1"
    ),
    "first touches not escalated once by each rung": (
        "SELECT t.id FROM tasks t LEFT JOIN escalations e ON e.task_id = t.id WHERE t.kind = 'FIRST_TOUCH' "
        "GROUP BY t.id HAVING count(e.id) <> 2 OR min(e.rung) <> 1 OR max(e.rung) <> 2"
    ),
    "escalations not told of once": (
        "SELECT t.id, t.rung FROM tasks t LEFT JOIN journal j ON j.name = 'task.escalated' "
        "AND j.subject_id = t.id GROUP BY t.id, t.rung HAVING count(j.id) <> t.rung"
    ),
    "runs that ended otherwise than well or merged": (
        "SELECT id, kind, state, error_code, attempt, errors FROM runs WHERE state <> 'SUCCEEDED' "
        "AND (state <> 'FAILED' OR error_code <> 'MERGED')"
    ),
    "merged runs that no other served": (
        "SELECT r.id FROM runs r LEFT JOIN runs o ON o.id = r.merged_into WHERE r.error_code = 'MERGED' "
        "AND r.state = 'FAILED' AND (o.id IS NULL OR o.state NOT IN ('SUCCEEDED', 'FAILED'))"
    ),
    "runs that did not end once": (
        "SELECT r.id, r.kind, r.state, count(j.id) FROM runs r LEFT JOIN journal j ON j.subject = 'run' "
        "AND j.subject_id = r.id AND j.name = 'run.succeeded' WHERE r.state = 'SUCCEEDED' "
        "GROUP BY r.id, r.kind, r.state HAVING count(j.id) <> 1"
    ),
    "recomputes not published once": (
        "SELECT r.id FROM runs r LEFT JOIN segmentations s ON s.run_id = r.id WHERE r.state = 'SUCCEEDED' "
        "AND r.kind = 'segmentation_recompute' GROUP BY r.id HAVING count(s.id) <> 1"
    ),
    "customers whose totals are not those of their orders": (
        "SELECT c.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id "
        "GROUP BY c.id, c.order_count HAVING c.order_count <> count(o.id)"
    ),
    "lines parked": "SELECT id, error FROM parked_lines",
    "places with gaps or doubled": (
        "SELECT workspace_id, count(*) FROM journal GROUP BY workspace_id "
        "HAVING count(*) <> max(position) OR min(position) <> 1 OR count(*) <> count(DISTINCT position)"
    ),
}
PROBED = {
    "effects doubled": (
        "SELECT run_id, step, count(*) FROM probe_effects GROUP BY run_id, step HAVING count(*) > 1"
    ),
}


def number_of(global_id: str) -> int:
    return int(base64.urlsafe_b64decode(global_id + "=" * (-len(global_id) % 4)).decode().rpartition(":")[2])


def unsettled(town: Town) -> dict[str, Rows]:
    return {what: rows for what, statement in UNSETTLED.items() if (rows := town.look(statement))}


def settle(town: Town, seconds: float) -> dict[str, Rows]:
    """Wait until nothing is under way; what still is at the end of the wait is stuck."""
    end = time.monotonic() + seconds
    while (left := unsettled(town)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def missing(town: Town, load: Load) -> dict[str, list[object]]:
    """What somebody was told that it was done, and is not there."""
    log = load.log
    orders: Counter[str] = Counter()
    recorded = set()
    for (name,) in town.look("SELECT external_id FROM orders"):
        prefix, _, row = name.rpartition("-")
        if prefix in log.imports and row.isdigit():
            orders[prefix] += 1
        recorded.add(name)
    leads = {name for (name,) in town.look("SELECT external_id FROM leads")}
    known = {run_id for (run_id,) in town.look("SELECT id FROM runs")}
    promised = [number_of(run_id) for run_id in (*log.imports.values(), *log.recomputes)]
    found: dict[str, list[object]] = {
        "orders": sorted(log.orders - recorded),
        "leads": sorted(log.leads - leads),
        "imports": [prefix for prefix in log.imports if orders[prefix] != ROWS],
        "runs": [run_id for run_id in (*promised, *log.probes) if run_id not in known],
    }
    if log.probes:
        steps = dict(town.look("SELECT run_id, count(DISTINCT step) FROM probe_effects GROUP BY run_id"))
        found["effects"] = [run_id for run_id, due in log.probes.items() if steps.get(run_id) != due]
    return {what: names for what, names in found.items() if names}


def doubled(town: Town) -> dict[str, Rows]:
    """What is there twice, torn, or told otherwise than once."""
    statements = {**NONE, **(PROBED if town.postgres is not None else {})}
    return {what: rows for what, statement in statements.items() if (rows := town.look(statement))}


def unseen(town: Town, load: Load) -> list[str]:
    """What is wrong with what the followers saw: each place of their subject once, in order, without a gap."""
    wrong = []
    for number, follower in enumerate(load.followers):
        places = [
            place
            for (place,) in town.look(
                f"SELECT position FROM journal WHERE subject = '{follower.subject}' ORDER BY position"
            )
        ]
        wrong += [f"follower {number}: {said}" for said in follower.wrong]
        if follower.places != places:
            seen = Counter(follower.places)
            wrong.append(
                f"follower {number} of {follower.feed} saw {len(follower.places)} of {len(places)}: "
                f"missed {sorted(set(places) - set(seen))[:5]}, "
                f"twice {[place for place, times in seen.items() if times > 1][:5]}, "
                f"in order: {follower.places == sorted(follower.places)}"
            )
    return wrong
