"""The dispatcher's steps: what is read is sent at once, or written down to be sent when its time or its turn comes.

An offset is committed when its delivery has been recorded: sent, or waiting in the
store. So a crash loses none, and what is in memory is bounded: a lane that is slow
holds a few deliveries there and stands in the store with the rest.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import msgspec
import structlog

from channels.channel import Came, Way
from config.settings import DispatcherSettings
from handlers.letters import letter_for
from handlers.outcome import Fact, Outcome, Route
from handlers.plan import Decided, Planner, split
from schemas.delivery import DeliveryPlanned, State
from schemas.events import Event, Origin, Record
from stores.deliveries import Change, Deliveries, Stored, insertion, parking, reopening
from workers.dispatch import metrics
from workers.dispatch.book import Book
from workers.dispatch.breaker import Breaker
from workers.dispatch.lane import Job, Lane, Limits
from workers.dispatch.offsets import Offsets
from workers.dispatch.recorder import Recorder
from workers.dispatch.sending import SOURCE, Sending, Sent
from workers.fold_batch import Publishes, halt_past_ceiling, publishable, up_to_ceiling
from workers.reader import Holding

log = structlog.get_logger()

MEMORY_BYTES = 64 * 1024 * 1024
"""Of deliveries in memory, as they came from Kafka."""
ROOM_SECONDS = 0.5
"""A lane out of which nothing has gone for so long does not keep up, whatever it did before."""
STALE_SECONDS = 5.0
"""A delivery that has not started by then is written down: until it is, nothing behind it can be committed."""
DUE_AT_ONCE = 500
TOO_MANY_REQUESTS = 429
LONGEST_HOLD_SECONDS = 3600.0
"""A receiver may hold back its lane for so long with Retry-After."""
LOOK_SECONDS = 2.0
"""How often endpoints that have changed are looked for, and orders that somebody else let go."""
LANES_SECONDS, LANES_SHARE = 10.0, 20
"""How often lanes are looked for in which something stands that nobody here has put there; of the time at most so
little: where a great deal stands, the look itself takes long."""


class Desk(msgspec.Struct, eq=False):
    """A partition in hand."""

    held: Holding
    offsets: Offsets
    attempts: set[asyncio.Task[None]] = msgspec.field(default_factory=set)
    leaving: bool = False
    lanes_due: float = float("-inf")
    """When lanes are looked for next."""


class Dispatching:
    def __init__(
        self,
        sending: Sending,
        deliveries: Deliveries,
        recorder: Recorder,
        book: Book,
        ways: Mapping[str, Way],
        publisher: Publishes,
        settings: DispatcherSettings,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._sending = sending
        self._deliveries = deliveries
        self._recorder = recorder
        self._book = book
        self._ways = ways
        self._publisher = publisher
        self._settings = settings
        self._tasks = tasks
        self._desks: dict[int, Desk] = {}
        self._lanes: dict[str, Lane] = {}
        self._jobs: dict[str, Job] = {}
        self._looks: dict[object, set[str]] = {}
        self._ready: dict[str, Lane] = {}
        self._in_flight = 0
        self._bytes = 0

    # ---- what is read -----------------------------------------------------------------------------------------------

    def taken(self, held: Holding) -> None:
        self._desks[held.log.partition] = Desk(held, Offsets(held.next_offset))

    async def batch(self, held: Holding, records: Sequence[Record]) -> None:
        """Start or write down each delivery; set poison aside."""
        steps = [PLANNER.decide(record) for record in records]
        sound = up_to_ceiling(steps, held.gauge)
        decided, poisoned = split(sound)
        sizes = {record.offset: record.size for record in records}
        fresh = await self._fresh(held, decided)
        await held.patience.while_transient(
            self._book.learn, [planned.target for _, planned in fresh if self._by_endpoint(planned.channel)]
        )
        desk = self._desks[held.log.partition]
        writes = []
        for offset, planned in fresh:
            job = Job(planned, held, offset, sizes[offset], time.monotonic())
            if (change := await self._place(desk, job)) is not None:
                writes.append((job, change))
        letters: list[Event] = [letter_for(poison, held.log) for poison in poisoned]
        for some in publishable(letters):
            await held.patience.while_transient(self._publisher.publish, some)
        for poison in poisoned:
            metrics.DEAD_LETTERS.labels(poison.reason).inc()
        await self._write_down(writes)
        if sound:
            desk.offsets.pass_over(records[len(sound) - 1].offset + 1)
        await self._commit(desk)
        halt_past_ceiling(held.log, records, steps, sound)

    async def leave(self, held: Sequence[Holding]) -> None:
        """Let what is under way end and be recorded; what has not started is read again, or is in the store."""
        desks = [desk for holding in held if (desk := self._desks.get(holding.log.partition))]
        for desk in desks:
            desk.leaving = True
        attempts = {attempt for desk in desks for attempt in desk.attempts}
        if attempts:
            _, unfinished = await asyncio.wait(attempts, timeout=self._settings.drain_seconds)
            for attempt in unfinished:
                attempt.cancel()
            if unfinished:
                log.warning("attempts_abandoned", count=len(unfinished))
                await asyncio.wait(unfinished)
        for desk in desks:
            await self._commit(desk)
            self._forget(desk)

    async def leave_all(self) -> None:
        await self.leave([desk.held for desk in self._desks.values()])

    async def _fresh(self, held: Holding, decided: Sequence[Decided]) -> list[tuple[int, DeliveryPlanned]]:
        """Those that nobody has in hand and nobody has recorded. A dead one that was replayed is opened again."""
        planned = {step.offset: planned_in(step) for step in decided}
        replays = {step.offset for step in decided if step.event.source == SOURCE}
        # Looked at before the store is asked: what ends meanwhile is recorded before it leaves the memory.
        in_hand = {delivery.id for delivery in planned.values() if delivery.id in self._jobs}
        asked = [key for key in dict.fromkeys(each.id for each in planned.values()) if key not in in_hand]
        seen = await held.patience.while_transient(self._deliveries.seen, asked)
        fresh: dict[str, tuple[int, DeliveryPlanned]] = {}
        reopened = []
        for offset, delivery in planned.items():
            if delivery.id in in_hand or delivery.id in fresh:
                continue
            known = seen.get(delivery.id)
            if known is None:
                fresh[delivery.id] = (offset, delivery)
            elif known == State.DEAD and offset in replays:
                reopened.append(reopening(delivery.id, datetime.now(UTC)))
        await self._recorder.record_all(reopened)
        metrics.DUPLICATES.inc(len(planned) - len(fresh) - len(reopened))
        return list(fresh.values())

    # ---- where it stands --------------------------------------------------------------------------------------------

    async def _place(self, desk: Desk, job: Job) -> Change | None:
        """Queue it in its lane, or say how it is to be written down.

        A lane that keeps up is waited for: the store is for those that do not.
        """
        planned = job.planned
        if planned.not_before is not None and (planned.digest is not None or planned.not_before > datetime.now(UTC)):
            return Change(State.WAITING, 0, due_at=planned.not_before)
        lane = self._lane_of(planned, desk)
        while lane.keeps_up and not lane.has_room():
            await wait_for_room(lane)
        if lane.has_room() and self._bytes < MEMORY_BYTES and await self._first_of_its_order(lane, job):
            desk.offsets.read(job.offset)
            self._queue(lane, job)
            return None
        lane.spill()
        lane.parking += 1
        return Change(State.PARKED, 0)

    async def _first_of_its_order(self, lane: Lane, job: Job) -> bool:
        """Whether nothing of its order is left behind in the store."""
        key = job.planned.ordered_by
        if key is None:
            return True
        if key in lane.blocked:
            return lane.blocked[key] in self._jobs
        if any(other.planned.ordered_by == key for other in lane.queue):
            return True
        return await self._is_first(lane, job.id, key)

    async def _is_first(self, lane: Lane, delivery_id: str, key: str) -> bool:
        """Whether no other of its order is open in the store; one that waits for its time blocks the order."""
        first = await lane.holding.patience.while_transient(self._deliveries.first_open, lane.name, key)
        if first is None or first[0] == delivery_id:
            return True
        if first[1] == State.WAITING:
            lane.blocked[key] = first[0]
        return False

    async def _write_down(self, writes: Sequence[tuple[Job, Change]]) -> None:
        now = datetime.now(UTC)
        await self._recorder.record_all(
            [
                insertion(
                    job.planned, job.holding.log.partition, Origin(job.holding.log.fence, job.offset), change, now
                )
                for job, change in writes
            ]
        )
        parked = [job for job, change in writes if change.state == State.PARKED]
        metrics.PARKED.inc(len(parked))
        for job in parked:
            lane = self._lanes[job.planned.lane]
            lane.parking -= 1
            self._pump(lane)

    def _lane(self, name: str, channel: str, target: str, desk: Desk) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            breaker = Breaker(self._settings.breaker_failures, self._settings.breaker_seconds)
            limits = self._limits(channel, target)
            lane = self._lanes[name] = Lane(name, desk.held, breaker, limits, self._settings.lane_waiting)
        return lane

    def _lane_of(self, planned: DeliveryPlanned, desk: Desk) -> Lane:
        return self._lane(planned.lane, planned.channel, planned.target, desk)

    def _limits(self, channel: str, target: str) -> Limits:
        if not self._by_endpoint(channel):
            way = self._ways.get(channel)
            return Limits(1 if way is None else way.concurrency)
        endpoint = self._book.known(target)
        return Limits(1) if endpoint is None else Limits(endpoint.concurrency, endpoint.rate_per_second)

    def _by_endpoint(self, channel: str) -> bool:
        way = self._ways.get(channel)
        return way is not None and way.options is not None

    def _queue(self, lane: Lane, job: Job) -> None:
        self._jobs[job.id] = job
        self._bytes += job.size
        lane.queue.append(job)
        metrics.IN_MEMORY.set(len(self._jobs))
        self._pump(lane)

    @contextmanager
    def _looking(self) -> Iterator[set[str]]:
        """Ids that are in memory at any moment of a look into the store: what it finds of them may be over by then."""
        look = object()
        met = self._looks[look] = set(self._jobs)
        try:
            yield met
        finally:
            del self._looks[look]

    def _drop(self, job: Job) -> None:
        for met in self._looks.values():
            met.add(job.id)
        if self._jobs.pop(job.id, None) is not None:
            self._bytes -= job.size
            metrics.IN_MEMORY.set(len(self._jobs))

    # ---- sending ----------------------------------------------------------------------------------------------------

    def _pump(self, lane: Lane) -> None:
        """Start what may start in a lane."""
        desk = self._desk_of(lane)
        if desk is None or desk.leaving:
            return
        now = time.monotonic()
        while not self._full:
            job = lane.next_job(now)
            if job is None:
                break
            lane.started(job, now)
            self._in_flight += 1
            metrics.IN_FLIGHT.set(self._in_flight)
            attempt = self._tasks.create_task(self._attempt(desk, lane, job), name=f"deliver {lane.name}")
            desk.attempts.add(attempt)
            attempt.add_done_callback(desk.attempts.discard)
        else:
            self._ready[lane.name] = lane
        if lane.woken_at is not None and lane.timer is None:
            lane.timer = asyncio.get_running_loop().call_later(max(0.0, lane.woken_at - now), self._wake_up, lane)
        if wanted := lane.wants_more():
            lane.filling = True
            filling = self._tasks.create_task(self._refill(desk, lane, wanted), name=f"refill {lane.name}")
            desk.attempts.add(filling)
            filling.add_done_callback(desk.attempts.discard)
        if lane.idle and self._lanes.get(lane.name) is lane:
            del self._lanes[lane.name]

    def _wake_up(self, lane: Lane) -> None:
        lane.timer = None
        self._pump(lane)

    @property
    def _full(self) -> bool:
        return self._in_flight >= self._settings.in_flight or self._recorder.behind

    def _desk_of(self, lane: Lane) -> Desk | None:
        """Its partition, if that is still the one it was opened for."""
        desk = self._desks.get(lane.holding.log.partition)
        return desk if desk is not None and desk.held is lane.holding else None

    async def _attempt(self, desk: Desk, lane: Lane, job: Job) -> None:
        try:
            sent = await self._sending.send(job)
        finally:
            self._in_flight -= 1
            metrics.IN_FLIGHT.set(self._in_flight)
        self._learn(lane, job, sent)
        # The receiver is free for the next one; only those of the same order wait until this one is recorded.
        lane.answered(sent.seconds)
        self._pump_all(lane)
        await self._sending.settle(job, sent)
        self._drop(job)
        waits = sent.follows.state == State.WAITING
        lane.ended(job, open_still=waits)
        if job.stored is None:
            desk.offsets.settle(job.offset)
        if waits and (key := job.planned.ordered_by) is not None:
            await self._park(desk, lane, lane.take_blocked(key))
        self._pump_all(lane)

    def _pump_all(self, lane: Lane) -> None:
        """Start what may start in this lane, and in those that found the process busy."""
        self._pump(lane)
        while self._ready and not self._full:
            self._pump(self._ready.pop(next(iter(self._ready))))

    def _learn(self, lane: Lane, job: Job, sent: Sent) -> None:
        """What an attempt says about its lane."""
        now, receipt = time.monotonic(), sent.receipt
        if receipt is not None and receipt.came == Came.RETRY:
            lane.breaker.failed(now)
            if receipt.status == TOO_MANY_REQUESTS and self._by_endpoint(job.planned.channel):
                lane.hold(now + min(receipt.retry_after_seconds or 0.0, LONGEST_HOLD_SECONDS))
        else:
            lane.breaker.succeeded()
        lane.limits = self._limits(job.planned.channel, job.planned.target)

    # ---- what stands in the store -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look after what waits, until cancelled."""
        looked_at = float("-inf")
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            for desk in self._working():
                await self._commit(desk)
                await self._load_due(desk)
            await self._park_stale()
            metrics.LANES_OPEN.set(sum(lane.breaker.open for lane in self._lanes.values()))
            if time.monotonic() - looked_at >= LOOK_SECONDS:
                looked_at = time.monotonic()
                await self._look_around()

    def _working(self) -> list[Desk]:
        return [desk for desk in self._desks.values() if not desk.leaving]

    async def _load_due(self, desk: Desk) -> None:
        patience, partition = desk.held.patience, desk.held.log.partition
        held = sum(job.stored == State.WAITING and job.holding is desk.held for job in self._jobs.values())
        with self._looking() as met:
            due = await patience.while_transient(self._deliveries.due, partition, datetime.now(UTC), DUE_AT_ONCE + held)
        digests = {job.planned.digest for job in self._jobs.values()}
        behind = []
        for stored in due:
            planned = stored.planned
            if (
                planned.id in met
                or planned.id in self._jobs
                or (planned.digest is not None and planned.digest in digests)
            ):
                continue
            lane = self._lane_of(planned, desk)
            if lane.has_room() and self._bytes < MEMORY_BYTES:
                digests.add(planned.digest)
                self._queue(lane, self._job(desk, stored))
            elif planned.digest is None:
                lane.spill()
                behind.append(planned.id)
        await self._recorder.record_all(parking(behind))
        for lane in [self._lanes[stored.planned.lane] for stored in due if stored.planned.lane in self._lanes]:
            self._pump(lane)

    async def _refill(self, desk: Desk, lane: Lane, wanted: int) -> None:
        """Fetch what stands first in a lane."""
        patience, partition = desk.held.patience, desk.held.log.partition
        limit = wanted + sum(job.stored == State.PARKED for job in lane.queue) + lane.unrecorded
        spills = lane.spills
        with self._looking() as met:
            parked = await patience.while_transient(
                self._deliveries.parked, partition, lane.name, limit, list(lane.blocked)
            )
            lane.spilled = len(parked) == limit or lane.spills > spills
            for stored in parked:
                if stored.planned.id in self._jobs or desk.leaving:
                    continue
                if stored.planned.id in met:
                    lane.spill()  # it was in memory a moment ago: what has become of it the next look shows
                elif await self._heads_its_order(lane, stored):
                    self._queue(lane, self._job(desk, stored))
        lane.filling = False
        self._pump(lane)

    async def _heads_its_order(self, lane: Lane, stored: Stored) -> bool:
        key = stored.planned.ordered_by
        if key is None:
            return True
        if key in lane.blocked:
            return lane.blocked[key] == stored.planned.id
        return await self._is_first(lane, stored.planned.id, key)

    async def _park_stale(self) -> None:
        before = time.monotonic() - STALE_SECONDS
        for lane in list(self._lanes.values()):
            desk = self._desk_of(lane)
            if desk is not None and not desk.leaving:
                await self._park(desk, lane, lane.take_stale(before))

    async def _park(self, desk: Desk, lane: Lane, jobs: Sequence[Job]) -> None:
        """Put deliveries that stood in memory into the store."""
        if not jobs:
            return
        lane.spill()
        fresh = [job for job in jobs if job.stored is None]
        lane.parking += len(fresh)
        await self._write_down([(job, Change(State.PARKED, 0)) for job in fresh])
        await self._recorder.record_all(parking([job.id for job in jobs if job.stored == State.WAITING]))
        for job in jobs:
            self._drop(job)
            if job.stored is None:
                desk.offsets.settle(job.offset)

    async def _look_around(self) -> None:
        """Find lanes in which something stands, orders that somebody else let go, endpoints that have changed."""
        for desk in self._working():
            if (began := time.monotonic()) >= desk.lanes_due:
                lanes = await desk.held.patience.while_transient(self._deliveries.parked_lanes, desk.held.log.partition)
                desk.lanes_due = time.monotonic() + max(LANES_SECONDS, LANES_SHARE * (time.monotonic() - began))
                for name in lanes:
                    await self._wake(desk, name)
        for desk in self._working()[:1]:
            await desk.held.patience.while_transient(self._book.refresh)
        for lane in list(self._lanes.values()):
            await self._unblock(lane)

    async def _wake(self, desk: Desk, name: str) -> None:
        channel, _, target = name.partition("/")
        if self._by_endpoint(channel):
            await desk.held.patience.while_transient(self._book.learn, [target])
        lane = self._lane(name, channel, target, desk)
        lane.spill()
        self._pump(lane)

    async def _unblock(self, lane: Lane) -> None:
        for key, blocker in list(lane.blocked.items()):
            if blocker in self._jobs:
                continue
            first = await lane.holding.patience.while_transient(self._deliveries.first_open, lane.name, key)
            if lane.blocked.get(key) != blocker:
                continue
            if first is not None and first[1] == State.WAITING:
                lane.blocked[key] = first[0]
            else:
                del lane.blocked[key]
                lane.spill()
            self._pump(lane)

    def _job(self, desk: Desk, stored: Stored) -> Job:
        return Job(
            stored.planned,
            desk.held,
            stored.order,
            len(stored.planned.body or "") + 512,
            time.monotonic(),
            failures=stored.failures,
            deaths=stored.deaths,
            due_at=stored.due_at,
            stored=stored.state,
        )

    def waiting(self, waits: bool) -> None:
        """The store is away, or back: partitions that stand still have an excuse."""
        for desk in self._desks.values():
            desk.held.waiting = waits

    # ---- what is committed ------------------------------------------------------------------------------------------

    async def _commit(self, desk: Desk) -> None:
        if (next_offset := desk.offsets.next_offset) > desk.held.next_offset:
            await desk.held.commit(next_offset)

    def _forget(self, desk: Desk) -> None:
        self._desks.pop(desk.held.log.partition, None)
        for job in [job for job in self._jobs.values() if job.holding is desk.held]:
            self._drop(job)
        for name in [name for name, lane in self._lanes.items() if lane.holding is desk.held]:
            del self._lanes[name]


async def wait_for_room(lane: Lane) -> None:
    """Return when something has left the lane; one in which nothing moves is not waited for again."""
    lane.freed.clear()
    try:
        async with asyncio.timeout(ROOM_SECONDS):
            await lane.freed.wait()
    except TimeoutError:
        lane.stalled = True


def planned_in(step: Decided) -> DeliveryPlanned:
    planned: DeliveryPlanned = step.outcome.fact.body["planned"]
    return planned


def _hand_on(_: Event, planned: DeliveryPlanned) -> Outcome:
    return Outcome(Fact(body={"planned": planned}))


PLANNER = Planner({"delivery.planned": Route(DeliveryPlanned, _hand_on)})
