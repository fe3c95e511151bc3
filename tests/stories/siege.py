"""A client that goes on with its story while processes are killed under it, and what must hold at the end."""

import csv
import io
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2

from domain import db
from tests.stories.processes import Process

CLOCK_AT = "2025-03-03T12:00:00+08:00"
CUSTOMERS, ORDERS = 2_000, 6_000
SEGMENT = "cell:SILENT:ORDINARY"
PATIENCE_SECONDS = 150
TURNS = 20
"""At most: it goes on until every kind has been killed as often as is wanted."""
KINDS = ("orders_import", "segmentation_recompute", "cadence_plan", "campaign_launch")
ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Sheet:
    """Orders of customers of whom three in four have been silent for seven to ten months."""

    content: bytes
    total_minor: int


def sheet() -> Sheet:
    chance = random.Random(7)
    now = datetime.fromisoformat(CLOCK_AT)
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["order_id", "customer_id", "ordered_at", "amount"])
    total = 0
    for number in range(ORDERS):
        customer = number % CUSTOMERS
        days = chance.randint(1, 300) if customer % 4 == 0 else chance.randint(215, 300)
        minor = chance.randint(100, 60_000)
        total += minor
        at = now - timedelta(days=days, seconds=number)
        rows.writerow([f"O{number}", f"C{customer}", at.isoformat(), Decimal(minor).scaleb(-2)])
    return Sheet(out.getvalue().encode(), total)


class Caller:
    """One client. What it did not hear the answer of, it asks again with the same key."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self.keys: set[str] = set()
        self.unheard = 0

    def _heard(self, send: Callable[[], httpx2.Response]) -> Any:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = send()
                assert answer.is_success, answer.text
                return answer.json()
            except httpx2.TransportError:
                self.unheard += 1
                assert time.monotonic() < until, "the server does not come back"
                time.sleep(0.05)

    def ask(self, document: str) -> dict[str, Any]:
        body = self._heard(lambda: self._http.post("/graphql", json={"query": document}))
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def do(self, mutation: str, key: str, passed: str = "", fields: str = "run { id }") -> dict[str, Any]:
        self.keys.add(key)
        payload = f"{mutation[0].upper()}{mutation[1:]}Payload"
        done: dict[str, Any] = self.ask(
            f'mutation {{ done: {mutation}(idempotencyKey: "{key}" {passed}) {{ __typename '
            f"... on {payload} {{ {fields} }} ... on Refusal {{ userErrors {{ message }} }} }} }}"
        )["done"]
        assert done["__typename"] == payload, done
        return done

    def upload(self, content: bytes) -> str:
        """A file; sent again it is another one, which nobody uses."""
        stored = self._heard(
            lambda: self._http.post("/files", params={"name": "orders.csv"}, content=content)
        )
        return str(stored["fileId"])

    def finish(self, run_id: str) -> dict[str, str]:
        """Wait for a run to end well, or to be merged into one that waits already; its result."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            run = self.ask(
                f'{{ run(id: "{run_id}") {{ kind state errorCode errors {{ code message }} '
                "result { name value } } }"
            )["run"]
            if run["state"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                assert run["state"] == "SUCCEEDED" or run["errorCode"] == "MERGED", run
                return {entry["name"]: entry["value"] for entry in run["result"] or []}
            time.sleep(0.02)
        raise AssertionError(f"run {run_id} did not end")


def tell(caller: Caller, orders: Sheet, again: Callable[[], bool]) -> None:
    """Import, recompute, plan visits and launch a campaign, until the killing has been enough.

    Later turns import the same orders again: nothing comes of it.
    """
    for turn in range(TURNS):
        file_id = caller.upload(orders.content)
        done = caller.do("ordersImport", f"import {turn}", f', input: {{fileId: "{file_id}"}}')
        caller.finish(done["run"]["id"])
        caller.finish(caller.do("segmentationRecompute", f"recompute {turn}")["run"]["id"])
        caller.finish(caller.do("visitsPlan", f"visits {turn}")["run"]["id"])
        segment = caller.ask(f'{{ segment(key: "{SEGMENT}") {{ id }} }}')["segment"]["id"]
        campaign = caller.do(
            "campaignCreate",
            f"campaign {turn}",
            f', input: {{name: "Campaign {turn}", segmentId: "{segment}", channel: PHONE, '
            'taskTitle: "Ask why", goalKpi: "REPURCHASE_RATE", baseline: "0.30", target: "0.345", '
            'targetOn: "2025-06-01"}',
            "campaign { id }",
        )["campaign"]["id"]
        done = caller.do("campaignActivate", f"activate {turn}", f', id: "{campaign}"')
        caller.finish(done["run"]["id"])
        if not again():
            return


class Teller(threading.Thread):
    """Tells the story beside the killing, and keeps what it failed on."""

    def __init__(self, story: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._story = story
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            self._story()
        except BaseException as error:
            self.failed = error


Rows = list[tuple[Any, ...]]
RUNNING = (
    "SELECT id, kind, attempt, CASE WHEN cursor IS NULL THEN -1 ELSE progress_done END "
    "FROM runs WHERE state = 'RUNNING'"
)
UNQUIET = (
    "SELECT id FROM runs WHERE state NOT IN ('SUCCEEDED', 'FAILED') "
    "UNION ALL SELECT id FROM journal WHERE position IS NULL UNION ALL SELECT id FROM feeds WHERE reacted < head"
)


@dataclass
class Siege:
    """Kills a process at random moments, as often within each kind of run, and elsewhere, as `wanted` says.

    `reach` is the longest wait, in seconds, from when an attempt of a kind is seen to its kill.
    """

    start: Callable[[], Process]
    look: Callable[[str], Rows]
    """Ask the database from outside."""
    wanted: Counter[str]
    reach: dict[str, float]
    chance: random.Random
    kills: int = 0
    struck: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    """Run and attempt that died → the kind, and how much was done; -1: no step had committed yet."""

    def goes_on(self) -> bool:
        return any(self.wanted.values())

    def lay(self, teller: Teller) -> Process:
        """Kill and start again until the story has been told; the process that lives."""
        process = self.start()
        teller.start()
        while teller.is_alive():
            if self.wanted[ELSEWHERE] and self.chance.random() < 0.25:
                time.sleep(self.chance.uniform(0, 1.5))  # anywhere, most likely while it starts
            elif kind := self._prey(teller):
                time.sleep(self.chance.uniform(0, self.reach[kind]))
            else:
                break
            process.kill9()
            self._note_kill()
            process = self.start()
        teller.join(PATIENCE_SECONDS)
        assert not teller.is_alive(), "the story did not end"
        if teller.failed is not None:
            raise teller.failed
        return process

    def _note_kill(self) -> None:
        """See what the dead process had in hand: the ledger still shows it as running."""
        self.kills += 1
        fresh = [row for row in self.look(RUNNING) if (row[0], row[2]) not in self.struck]
        for run_id, kind, attempt, done in fresh:
            self.struck[run_id, attempt] = (kind, done)
        for kind in {kind for _, kind, _, _ in fresh} or {ELSEWHERE}:
            self.wanted[kind] -= self.wanted[kind] > 0

    def _prey(self, teller: Teller) -> str | None:
        """Wait for a new attempt of a kind that is wanted, and name it; none when the story ends before."""
        while teller.is_alive():
            for run_id, kind, attempt, _ in self.look(RUNNING):
                if self.wanted[kind] and (run_id, attempt) not in self.struck:
                    return kind
            time.sleep(0.004)
        return None

    def settle(self) -> None:
        """Wait until everything asked for has been reacted to."""
        until = time.monotonic() + PATIENCE_SECONDS
        while left := self.look(UNQUIET):
            assert time.monotonic() < until, left
            time.sleep(0.02)

    def report(self) -> str:
        places: dict[str, list[int]] = defaultdict(list)
        for kind, done in sorted(self.struck.values()):
            places[kind].append(done)
        within = "; ".join(
            f"{len(done)} within {kind}, with so much done {done}" for kind, done in places.items()
        )
        return f"{self.kills} kills: {within}; {self.kills - len(self.struck)} elsewhere"


async def verify(url: str, caller: Caller, siege: Siege, *, exactly: bool) -> None:
    """Everything was done, and nothing twice. `exactly`: no attempt was lost but by a kill."""
    db.enter_everywhere()
    async with db.open_database(url):
        for statement, expected in _facts(sheet(), len(caller.keys)):
            found = [tuple(row.values()) for row in await db.rows(statement)]
            assert found == expected, (statement, found, expected)
        lost = set()
        for run in await db.rows("SELECT id, errors FROM runs"):
            errors = db.document_of(run["errors"])
            assert {error["code"] for error in errors} <= {"LOST"}, errors
            lost |= {(run["id"], error["attempt"]) for error in errors}
        assert lost == set(siege.struck) if exactly else lost >= set(siege.struck)
        if not db.is_postgres():
            assert [row["integrity_check"] for row in await db.rows("PRAGMA integrity_check")] == ["ok"]
            assert await db.rows("PRAGMA foreign_key_check") == []


def _facts(orders: Sheet, keys: int) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """Statements whose answer is the same on both databases, with that answer."""
    none: list[tuple[Any, ...]] = []
    return [
        (
            "SELECT count(*) AS n, count(DISTINCT external_id) AS d, CAST(sum(amount_minor) AS bigint) AS s "
            "FROM orders",
            [(ORDERS, ORDERS, orders.total_minor)],
        ),
        ("SELECT count(*) AS n FROM customers", [(CUSTOMERS,)]),
        (
            "SELECT c.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id "
            "GROUP BY c.id, c.order_count, c.order_total_minor "
            "HAVING c.order_count <> count(o.id) OR c.order_total_minor <> sum(o.amount_minor)",
            none,
        ),
        ("SELECT count(*) AS n, count(DISTINCT customer_id) AS d FROM placements", [(CUSTOMERS, CUSTOMERS)]),
        ("SELECT count(*) AS n FROM placement_drafts", [(0,)]),
        (
            "SELECT m.customer_id FROM memberships m JOIN segments s ON s.id = m.segment_id "
            "WHERE s.kind IN ('CELL', 'RFM_TIER') AND m.left_at IS NULL "
            "GROUP BY m.customer_id HAVING count(*) <> 2",
            none,
        ),
        ("SELECT id FROM memberships WHERE left_at IS NOT NULL", none),
        (  # a campaign's members, enrolments and tasks are the same customers
            "SELECT c.id FROM campaigns c WHERE "
            "(SELECT count(*) FROM enrolments e WHERE e.campaign_id = c.id AND e.task_id IS NOT NULL) <> "
            "(SELECT count(*) FROM memberships m WHERE m.segment_id = c.segment_id) OR "
            "(SELECT count(*) FROM tasks t WHERE t.campaign_id = c.id) <> "
            "(SELECT count(*) FROM memberships m WHERE m.segment_id = c.segment_id)",
            none,
        ),
        (
            "SELECT e.id FROM enrolments e LEFT JOIN tasks t ON t.id = e.task_id "
            "AND t.customer_id = e.customer_id AND t.campaign_id = e.campaign_id WHERE t.id IS NULL",
            none,
        ),
        ("SELECT dedupe_key FROM tasks GROUP BY dedupe_key HAVING count(*) <> 1", none),
        ("SELECT id FROM tasks WHERE state <> 'OPEN'", none),
        (  # each thing that was opened is told of once
            "SELECT t.id FROM tasks t LEFT JOIN journal j ON j.name = 'task.opened' AND j.subject_id = t.id "
            "GROUP BY t.id HAVING count(j.id) <> 1",
            none,
        ),
        ("SELECT id FROM tasks WHERE decision_id IS NULL", none),
        (
            "SELECT count(*) - (SELECT count(*) FROM tasks) AS n FROM contact_decisions",
            [(0,)],
        ),
        (
            "SELECT count(*) - max(position) AS gaps, min(position) AS first, "
            "count(*) - count(DISTINCT position) AS doubled FROM journal",
            [(0, 1, 0)],
        ),
        ("SELECT id FROM feeds WHERE reacted <> head OR attempts <> 0", none),
        ("SELECT id FROM parked_lines", none),
        (  # merged: whoever asks while a run waits gets that one, and so does a run that lost its worker
            "SELECT id, kind, state, error_code FROM runs WHERE state <> 'SUCCEEDED' "
            "AND (state <> 'FAILED' OR error_code <> 'MERGED' OR NOT EXISTS (SELECT 1 FROM runs later "
            "WHERE later.kind = runs.kind AND later.state = 'SUCCEEDED' AND later.finished_at > runs.finished_at))",
            none,
        ),
        (  # each run ended once
            "SELECT r.id FROM runs r LEFT JOIN journal j ON j.subject = 'run' AND j.subject_id = r.id "
            "AND j.name IN ('run.succeeded', 'run.failed') GROUP BY r.id HAVING count(j.id) <> 1",
            none,
        ),
        (
            "SELECT r.id FROM runs r LEFT JOIN segmentations s ON s.run_id = r.id "
            "WHERE r.kind = 'segmentation_recompute' GROUP BY r.id HAVING count(s.id) <> 1",
            none,
        ),
        ("SELECT count(*) AS n FROM idempotency_keys", [(keys,)]),
    ]
