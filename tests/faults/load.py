"""Clients who go on whatever happens: what they were not answered they ask again, and they keep what they were promised."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import httpx2

from tests.faults.following import Follower
from tests.faults.probe import asked
from tests.faults.town import Town

ANSWER_SECONDS = 12
ROWS = 1_500
LONG_AGO = "2025-03-03T10:15:00+08:00"
"""When a lead came in whose first touch has been overdue ever since: both rungs are climbed at once."""
SHARES = {"order": 60, "lead": 25, "recompute": 8, "import": 7}


@dataclass
class Log:
    """What the clients were told, against which the database is held in the end."""

    orders: set[str] = field(default_factory=set)
    leads: set[str] = field(default_factory=set)
    imports: dict[str, str] = field(default_factory=dict)
    """The prefix of its orders → the run that was promised."""
    recomputes: set[str] = field(default_factory=set)
    probes: dict[int, int] = field(default_factory=dict)
    """The run → its steps."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Why something had to be asked again."""
    wrong: list[str] = field(default_factory=list)
    """Answers that no fault excuses."""
    answered: int = 0
    slowest: float = 0.0


class Client:
    """One caller. It asks the next server when one does not answer, always with the same key."""

    def __init__(self, name: str, town: Town, log: Log) -> None:
        self.name = name
        self._town = town
        self._log = log
        self._turn = crc32(name.encode()) % len(town.urls)
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {town.key}"}, timeout=ANSWER_SECONDS
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def answer(self, path: str, **request: Any) -> Any:
        """The answer to a request, asked for until there is one."""
        while True:
            self._turn += 1
            url = self._town.urls[self._turn % len(self._town.urls)]
            began = time.monotonic()
            try:
                answer = await self._http.post(f"{url}{path}", **request)
            except httpx2.TransportError as error:
                self._log.unanswered[type(error).__name__] += 1
            else:
                if answer.is_success and not (body := answer.json()).get("errors"):
                    self._log.answered += 1
                    self._log.slowest = max(self._log.slowest, time.monotonic() - began)
                    return body
                if answer.status_code == 503 or '"UNAVAILABLE"' in answer.text:
                    self._log.unanswered["UNAVAILABLE"] += 1
                else:
                    self._log.unanswered["WRONG"] += 1
                    self._log.wrong.append(f"{answer.status_code} {answer.text[:300]}")
            await asyncio.sleep(0.1)

    async def do(self, mutation: str, key: str, given: str, fields: str) -> dict[str, Any] | None:
        payload = f"{mutation[0].upper()}{mutation[1:]}Payload"
        document = (
            f'mutation {{ done: {mutation}(idempotencyKey: "{key}" {given}) {{ __typename '
            f"... on {payload} {{ {fields} }} ... on Refusal {{ userErrors {{ code message }} }} }} }}"
        )
        done: dict[str, Any] = (await self.answer("/graphql", json={"query": document}))["data"]["done"]
        if done["__typename"] != payload:
            self._log.wrong.append(f"{mutation} {key}: {done}")
            return None
        return done

    async def order(self, key: str) -> None:
        given = (
            f'input: {{externalId: "{key}", customerExternalId: "C{crc32(key.encode()) % 50}", '
            'orderedAt: "2025-02-01T10:00:00+08:00", amount: {amount: "10.00", currency: "CNY"}}'
        )
        if await self.do("orderRecord", key, given, "order { id }"):
            self._log.orders.add(key)

    async def lead(self, key: str) -> None:
        given = (
            f'input: {{externalId: "{key}", customerExternalId: "L-{key}", source: WEBSITE, '
            f'consent: true, acquiredAt: "{LONG_AGO}"}}'
        )
        if await self.do("leadRecord", key, given, "lead { id }"):
            self._log.leads.add(key)

    async def recompute(self, key: str) -> None:
        if done := await self.do("segmentationRecompute", key, "", "run { id }"):
            self._log.recomputes.add(done["run"]["id"])

    async def import_(self, key: str) -> None:
        rows = "\n".join(f"{key}-{n},C{n % 50},2025-01-15T10:00:00+08:00,10.00" for n in range(ROWS))
        content = f"order_id,customer_id,ordered_at,amount\n{rows}\n".encode()
        stored = await self.answer("/files", params={"name": "orders.csv"}, content=content)
        given = f'input: {{fileId: "{stored["fileId"]}"}}'
        if done := await self.do("ordersImport", key, given, "run { id }"):
            self._log.imports[key] = done["run"]["id"]


class Load:
    """Clients and followers on a thread of their own, until they are told to come to an end."""

    def __init__(self, town: Town, seed: int, clients: int = 4, followers: int = 4) -> None:
        self.town = town
        self.log = Log()
        self.followers = [
            Follower(town, ("runChanged", "taskChanged")[number % 2]) for number in range(followers)
        ]
        self._chance = random.Random(seed)
        self._clients = clients
        self._ending = threading.Event()
        self._over = threading.Event()
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, seconds: float = 120) -> None:
        """Have every client hear the answer it waits for, and then no more; the followers go on."""
        self._ending.set()
        self._until(lambda: not self._busy, seconds, "a client is never answered")

    def followed(self, places: Callable[[Follower], int], seconds: float = 60) -> None:
        """Wait until every follower has seen so many, and let them go."""
        self._until(
            lambda: all(len(each.places) >= places(each) for each in self.followers),
            seconds,
            "a follower never sees the end",
        )
        self.leave()

    def leave(self) -> None:
        self._ending.set()
        self._over.set()
        self._thread.join(30)
        if self.failed is not None:
            raise self.failed

    def _until(self, done: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds
        while not done() and self.failed is None:
            if time.monotonic() > end:
                self.log.wrong.append(f"{what}: {self.log.unanswered}")
                return
            time.sleep(0.05)

    def _run(self) -> None:
        try:
            asyncio.run(self._all())
        except BaseException as error:
            self.failed = error

    async def _all(self) -> None:
        self._busy = self._clients
        calling = [asyncio.create_task(self._client(f"K{number}")) for number in range(self._clients)]
        following = [asyncio.create_task(follower.follow()) for follower in self.followers]
        if self.town.postgres is not None:
            self._busy += 1
            calling.append(asyncio.create_task(self._prober()))
        while not self._over.is_set():
            await asyncio.sleep(0.05)
            for task in (*calling, *following):
                if task.done() and (error := task.exception()) is not None:
                    raise error
        for task in (*calling, *following):
            task.cancel()
        await asyncio.gather(*calling, *following, return_exceptions=True)

    async def _client(self, name: str) -> None:
        client = Client(name, self.town, self.log)
        number = 0
        while not self._ending.is_set():
            (kind,) = self._chance.choices(list(SHARES), list(SHARES.values()))
            doing = {
                "order": client.order,
                "lead": client.lead,
                "recompute": client.recompute,
                "import": client.import_,
            }[kind]
            await doing(f"{name}-{number}")
            number += 1
            await asyncio.sleep(self._chance.uniform(0.02, 0.25))
        await client.close()
        self._busy -= 1

    async def _prober(self) -> None:
        """Keeps a few runs of many steps under way, so that whoever is struck has something in hand."""
        assert self.town.postgres is not None
        while not self._ending.is_set():
            steps = self._chance.randint(2, 6)
            args = f'{{"steps": {steps}, "pause": {self._chance.uniform(0.2, 0.5):.2f}}}'
            ((run_id,),) = await asyncio.to_thread(self.town.look, asked(self.town.workspace_id, args=args))
            self.log.probes[run_id] = steps
            await asyncio.sleep(self._chance.uniform(0.2, 0.5))
        self._busy -= 1
