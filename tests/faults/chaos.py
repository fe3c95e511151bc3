"""Faults by chance, each with a proof that it took effect; one without an effect does not count."""

import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx2

from domain.db.clock import READ_SECONDS
from tests.faults.doorbells import ring
from tests.faults.proxy import Proxy
from tests.faults.town import LEASE_SECONDS, Place, Town, frozen
from tests.servers.process import ServerError, wait_until

FROZEN_SECONDS = LEASE_SECONDS + 1.5
AWAY_SECONDS = 3.0
JUMP_SECONDS, JUMP_ALONE_SECONDS = 600.0, 40.0
Proof = str | None


@dataclass
class Chaos:
    """Breaks a town, one thing after the other; the same seed breaks the same things in the same order."""

    town: Town
    seed: int
    proofs: list[tuple[float, str, str]] = field(default_factory=list)
    without: Counter[str] = field(default_factory=Counter)
    died: list[str] = field(default_factory=list)
    """Processes that ended though nobody had killed them."""

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._began = time.monotonic()
        self._bag: list[str] = []
        shared = {
            "kill an API": self.kill_serve,
            "freeze an API": self.freeze_serve,
            "jump a clock": self.jump_clock,
        }
        clients = {
            "cut clients off": lambda: self._cut([place.front for place in self.town.serves]),
            "lose the answers to clients": lambda: self._wire(self._front(), "losing_replies"),
            "hold the wire of clients": lambda: self._wire(self._front(), "held"),
        }
        servers = {
            "kill a worker": self.kill_worker,
            "freeze a worker": self.freeze_worker,
            "kill Valkey": self.kill_valkey,
            "flush Valkey": self.flush_valkey,
            "kill PostgreSQL": self.kill_postgres,
            "end every backend": self.end_backends,
            "cut off from PostgreSQL": lambda: self._cut([self.town.to_postgres]),
            "hold the wire to PostgreSQL": lambda: self._wire(self.town.to_postgres, "held"),
            "lose PostgreSQL's replies": lambda: self._wire(self.town.to_postgres, "losing_replies"),
            "slow PostgreSQL down": lambda: self._wire(self.town.to_postgres, "delay"),
            "refuse Valkey": lambda: self._wire(self.town.to_valkey, "refusing"),
            "hold the wire to Valkey": lambda: self._wire(self.town.to_valkey, "held"),
            "lose Valkey's replies": lambda: self._wire(self.town.to_valkey, "losing_replies"),
            "double and reorder doorbells": lambda: ring(self.town, self._chance, "running"),
            "replay doorbells of fenced attempts": lambda: ring(self.town, self._chance, "fenced"),
        }
        alone = {"fill the disk": self.fill_disk}
        self.faults: dict[str, Callable[[], Proof]] = {
            **shared,
            **clients,
            **(servers if self.town.postgres is not None else alone),
        }

    def go_on(self, seconds: float) -> None:
        """Break something, see it mended, and break the next, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self._bag:
                self._bag = list(self.faults)
                self._chance.shuffle(self._bag)
            self.strike(self._bag.pop())
            time.sleep(self._chance.uniform(0.3, 1.5))

    def strike(self, name: str) -> None:
        proof = self.faults[name]()
        at = time.monotonic() - self._began
        if proof is None:
            self.without[name] += 1
        else:
            self.proofs.append((at, name, proof))
        print(f"  {at:6.1f} s  {name}: {proof or 'no effect, not counted'}", flush=True)
        for place in self.town.places:
            if place.now.ended is not None:
                self.died.append(f"{place.kind} {place.now.pid} ended with {place.now.ended} after {name!r}")
        self.town.revive()

    def _front(self) -> Proxy | None:
        return self._chance.choice(self.town.serves).front

    def kill_serve(self) -> Proof:
        return self._kill(self._chance.choice(self.town.serves))

    def kill_worker(self) -> Proof:
        return self._kill(self._chance.choice(self.town.workers))

    def _kill(self, place: Place) -> Proof:
        pid = place.now.pid
        place.now.kill9()
        ended = place.now.ended
        self.town.revive()
        return f"process {pid} is gone ({ended})" if ended == -9 else None

    def freeze_serve(self) -> Proof:
        """Proved by a caller whom it leaves without an answer."""
        place = self._chance.choice(self.town.serves)
        assert place.front is not None
        place.now.freeze()
        began = time.monotonic()
        try:
            httpx2.get(f"http://127.0.0.1:{place.front.port}/health/live", timeout=FROZEN_SECONDS)
            return None
        except httpx2.TransportError as error:
            time.sleep(max(0.0, FROZEN_SECONDS - (time.monotonic() - began)))
            held = frozen(place.now.pid)
            return f"process {place.now.pid} gave no answer ({type(error).__name__})" if held else None
        finally:
            place.now.thaw()

    def freeze_worker(self) -> Proof:
        """The one with the most in hand; proved by a run that was taken from it, or another's lead."""
        place = max(self.town.workers, key=self.town.in_hand)
        pid = place.now.pid
        mine = f"SELECT count(*) FROM runs WHERE errors::text LIKE '%LOST%:{pid}:%'"
        led = "SELECT term FROM leases WHERE name = 'clock'"
        ((before,),), ((term,),) = self.town.look(mine), self.town.look(led)
        place.now.freeze()
        time.sleep(FROZEN_SECONDS)
        end = time.monotonic() + 2 * LEASE_SECONDS
        lost = 0
        while time.monotonic() < end and not lost:
            lost = self.town.look(mine)[0][0] - before
            time.sleep(0.1)
        terms = self.town.look(led)[0][0] - term
        held = frozen(pid)
        place.now.thaw()
        if not held or not (lost or terms):
            return None
        return f"process {pid} lost {lost} claims, the lead went over {terms} times"

    def jump_clock(self) -> Proof:
        """Ahead or back, and to where it was. Proved by the process's saying so, or by what it writes."""
        place = self._chance.choice(self.town.places)
        if self.town.postgres is None:
            return self._jump_alone(place)
        ahead = self._chance.choice((-1, 1)) * JUMP_SECONDS
        said = place.logs().count('"clock_differs"')
        place.turn_clock(ahead)
        try:
            wait_until(lambda: place.logs().count('"clock_differs"') > said, "noticed", 2 * READ_SECONDS)
        except ServerError:
            return None
        finally:
            place.turn_clock(0)
        return f"process {place.now.pid} noticed that it was {ahead:+.0f} s wrong"

    def _jump_alone(self, place: Place) -> Proof:
        """Its clock is the only one there is: by less, since what it then asks for waits for that time."""
        ahead = self._chance.choice((-1, 1)) * JUMP_ALONE_SECONDS
        ((last,),) = self.town.look("SELECT COALESCE(max(id), 0) FROM journal")
        began = datetime.now(UTC)
        place.turn_clock(ahead)
        time.sleep(AWAY_SECONDS)
        place.turn_clock(0)
        border = "> " if ahead > 0 else "< "
        limit = began + timedelta(seconds=ahead / 2)
        ((wrong,),) = self.town.look(
            f"SELECT count(*) FROM journal WHERE id > {last} AND recorded_at {border} '{limit}'"
        )
        return f"{wrong} lines are dated {ahead:+.0f} s" if wrong else None

    def kill_valkey(self) -> Proof:
        assert self.town.valkey is not None
        pid = self.town.valkey.pid
        self.town.valkey.kill9()
        time.sleep(self._chance.uniform(0, AWAY_SECONDS))
        self.town.valkey.start()
        return f"process {pid} is gone, {self.town.valkey.pid} knows nothing"

    def flush_valkey(self) -> Proof:
        assert self.town.valkey is not None
        keys = self.town.valkey.size()
        self.town.valkey.flush()
        return f"{keys} keys are gone" if keys else None

    def kill_postgres(self) -> Proof:
        assert self.town.postgres is not None
        pid = self.town.postgres.pid
        self.town.postgres.kill9()
        time.sleep(self._chance.uniform(0, AWAY_SECONDS))
        self.town.postgres.start()
        return f"process {pid} is gone, {self.town.postgres.pid} recovered"

    def end_backends(self) -> Proof:
        assert self.town.postgres is not None
        ended = self.town.postgres.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND backend_type = 'client backend' AND application_name LIKE 'careline%'"
        )
        return f"{ended} backends ended" if int(ended) else None

    def fill_disk(self) -> Proof:
        """No file may grow past where the log stands: proved by what the server says of its database."""
        place = self.town.serves[0]
        full = '"DATABASE_FULL"'
        before = place.logs().count(full)
        room = place.now.log.stat().st_size + 2**17
        resource.prlimit(place.now.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try:
            wait_until(lambda: place.logs().count(full) > before, "the disk is full", 6)
        except ServerError:
            return None
        finally:
            time.sleep(1)
            resource.prlimit(
                place.now.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )
        return f"{place.logs().count(full) - before} times the database was full"

    def _cut(self, proxies: list[Proxy | None]) -> Proof:
        cut = sum(proxy.cut() for proxy in proxies if proxy is not None)
        return f"{cut} connections reset" if cut else None

    def _wire(self, proxy: Proxy | None, how: str) -> Proof:
        assert proxy is not None
        before = (proxy.delayed, proxy.held_bytes, proxy.lost_bytes, proxy.refused, proxy.reset)
        if how == "refusing":
            proxy.refuse()
        else:
            setattr(proxy, how, 0.2 if how == "delay" else True)
        time.sleep(AWAY_SECONDS)
        proxy.heal()
        after = (proxy.delayed, proxy.held_bytes, proxy.lost_bytes, proxy.refused, proxy.reset)
        names = ("pieces delayed", "bytes held", "bytes lost", "connections refused", "connections reset")
        done = [f"{b - a} {name}" for a, b, name in zip(before, after, names, strict=True) if b > a]
        return ", ".join(done) or None

    def counts(self) -> Counter[str]:
        return Counter(name for _, name, _ in self.proofs)
