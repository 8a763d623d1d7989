"""Lane: the deliveries that share an address, with its limits and its outages. No I/O; times are monotonic seconds.

Only a few deliveries of a lane are in memory: those under way, and `waiting_most` behind
them. The rest is parked in the store, and `spilled` says that there may be some.
"""

import asyncio
from collections import deque
from datetime import datetime

import msgspec

from schemas.delivery import DeliveryPlanned, State
from workers.dispatch.breaker import Breaker
from workers.reader import Holding

QUICK_SECONDS = 0.1
"""A lane in which a place is free again so soon is waited for."""


class Job(msgspec.Struct, eq=False):
    """A delivery in memory. `stored` is its state in the store; None while it is not there."""

    planned: DeliveryPlanned
    holding: Holding
    offset: int
    size: int
    since: float
    failures: int = 0
    deaths: int = 0
    due_at: datetime | None = None
    stored: State | None = None

    @property
    def id(self) -> str:
        return self.planned.id


class Limits(msgspec.Struct, frozen=True):
    """What an endpoint allows: attempts at once, and how many a second."""

    concurrency: int
    rate_per_second: float | None = None


class Lane:
    def __init__(self, name: str, holding: Holding, breaker: Breaker, limits: Limits, waiting_most: int) -> None:
        self.name = name
        self.holding = holding
        self.breaker = breaker
        self.limits = limits
        self.spilled = False
        self.spills = 0
        """How often it has spilled: what is looked for in the store may be out of date when it is found."""
        self.parking = 0
        """Deliveries on their way into the store."""
        self.filling = False
        """Whether parked ones are being fetched."""
        self.woken_at: float | None = None
        """When it is to be looked at again, having waited for its rate or its breaker."""
        self.timer: asyncio.TimerHandle | None = None
        self.freed = asyncio.Event()
        """Set when one has left the queue."""
        self.usual_seconds = 0.0
        """How long its attempts take lately."""
        self.stalled = False
        """Nothing left it while somebody waited."""
        self.under_way = 0
        self.unrecorded = 0
        """Started, and not yet recorded."""
        self.blocked: dict[str, str] = {}
        """Orders that one of theirs holds up, and which one: under way, or waiting for its next attempt."""
        self.queue: deque[Job] = deque()
        self._waiting_most = waiting_most
        self._next_start = float("-inf")

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten."""
        in_use = self.queue or self.unrecorded or self.spilled or self.parking or self.filling or self.timer
        return not (in_use or self.blocked or self.breaker.open)

    def has_room(self) -> bool:
        """Whether one more may stand in memory: not behind parked ones. A lane left alone is tried with one."""
        return not self.spilled and len(self.queue) < (1 if self.breaker.open else self._waiting_most)

    @property
    def keeps_up(self) -> bool:
        """Whether waiting for room in it is short: what others wait for behind it."""
        room_seconds = self.usual_seconds / self.limits.concurrency
        return not (self.spilled or self.stalled or self.breaker.open) and room_seconds < QUICK_SECONDS

    def wants_more(self) -> int:
        """How many parked ones may be fetched."""
        if not self.spilled or self.filling or self.parking or (self.breaker.open and self.queue):
            return 0
        if len(self.queue) > self._waiting_most // 2:
            return 0
        return 1 if self.breaker.open else self._waiting_most - len(self.queue)

    def next_job(self, now: float) -> Job | None:
        """The next that may start now; None sets `woken_at` where time alone is missing."""
        self.woken_at = None
        if not self.queue or self.under_way >= self.limits.concurrency:
            return None
        if not self.breaker.allows(now):
            if wait := self.breaker.closes_in(now):
                self.woken_at = now + wait
            return None
        if now < self._next_start:
            self.woken_at = self._next_start
            return None
        return self._first_free()

    def _first_free(self) -> Job | None:
        for index, job in enumerate(self.queue):
            if job.planned.ordered_by not in self.blocked or self.blocked[job.planned.ordered_by] == job.id:
                del self.queue[index]
                self.freed.set()
                return job
        return None

    def started(self, job: Job, now: float) -> None:
        self.under_way += 1
        self.unrecorded += 1
        self.breaker.started()
        if job.planned.ordered_by is not None:
            self.blocked[job.planned.ordered_by] = job.id
        if self.limits.rate_per_second is not None:
            self._next_start = max(now, self._next_start) + 1 / self.limits.rate_per_second

    def answered(self, seconds: float) -> None:
        """The receiver has answered, after so long."""
        self.under_way -= 1
        self.stalled = False
        self.usual_seconds += (seconds - self.usual_seconds) * 0.25

    def ended(self, job: Job, *, open_still: bool) -> None:
        """An attempt is recorded. One that will be tried again goes on holding up its order."""
        self.unrecorded -= 1
        key = job.planned.ordered_by
        if key is not None and not open_still and self.blocked.get(key) == job.id:
            del self.blocked[key]
            # Others of its order may stand in the store.
            self.spill()

    def spill(self) -> None:
        """Something of it stands in the store."""
        self.spilled = True
        self.spills += 1

    def hold(self, until: float) -> None:
        """No attempt starts before: the receiver asked for it."""
        self._next_start = max(self._next_start, until)

    def take_stale(self, before: float) -> list[Job]:
        """Those not in the store that have stood here since before an instant: they hold up the commit."""
        orders = {job.planned.ordered_by for job in self.queue if job.stored is None and job.since < before}
        # With them whatever is behind them in their order, or it would overtake.
        stale = [
            job
            for job in self.queue
            if job.stored is None
            and (job.since < before or (job.planned.ordered_by is not None and job.planned.ordered_by in orders))
        ]
        if stale:
            self.queue = deque(job for job in self.queue if job not in stale)
        return stale

    def take_blocked(self, key: str) -> list[Job]:
        """Those behind one that will not leave soon."""
        behind = [job for job in self.queue if job.planned.ordered_by == key]
        if behind:
            self.queue = deque(job for job in self.queue if job.planned.ordered_by != key)
        return behind
