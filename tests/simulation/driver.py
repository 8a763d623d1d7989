"""A run of the simulation: real folding code, simulated world, everything that goes wrong drawn from one seed.

The folder's own loop is played here: owners of partitions that start at the
committed offset, read batches of any size and call the real `fold_batch`. Owners
crash, or lose their partition and go on regardless beside the new owner.
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from random import Random
from typing import Any, ClassVar

import msgspec

from handlers.poison import PoisonGauge
from schemas.errors import Halted
from schemas.events import LogId, Record
from tests.simulation.clients import Sending, sendings
from tests.simulation.domain import PARTITIONS, PLANNER, TOPIC_OF
from tests.simulation.model import mistakes
from tests.simulation.sim_broker import SimBroker, SimPublisher
from tests.simulation.sim_store import SimStore
from tests.simulation.turns import Scheduler, Task
from workers.fold_batch import fold_batch
from workers.retry import Patience

FoldBatch = Callable[..., Coroutine[Any, Any, object]]
Partition = tuple[str, int]


class Code(msgspec.Struct, frozen=True):
    """What is under test; a mutant replaces a part."""

    fold_batch: FoldBatch = fold_batch
    store: type[SimStore] = SimStore
    broker: type[SimBroker] = SimBroker


class Tally(msgspec.Struct):
    """What happened in a run: a simulation in which nothing goes wrong proves nothing."""

    steps: int = 0
    records: int = 0
    batches: int = 0
    crashes: int = 0
    zombies: int = 0
    away: int = 0
    recreations: int = 0
    halts: int = 0

    def add(self, other: "Tally") -> None:
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(other, field))


class Result(msgspec.Struct):
    seed: int
    mistakes: list[str]
    tally: Tally


class Crashed(Exception):
    """An owner's end, where it meets an error."""


class Lease:
    """An owner's hold on a partition. Lost, it does not know: it takes `batches_left` more."""

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.lost = False
        self.batches_left = 0
        self.folding = False


class Owner(msgspec.Struct):
    task: Task
    lease: Lease


class Dangers(msgspec.Struct, frozen=True):
    """How much goes wrong in this run, per step or per operation."""

    crash: float
    crash_on_error: float
    rebalance: float
    store_fault: float
    broker_fault: float
    stall: float
    recreates: str | None
    recreates_undrained: bool

    @classmethod
    def draw(cls, rng: Random) -> "Dangers":
        return cls(
            crash=rng.choice((0, 0.005, 0.03)),
            crash_on_error=rng.choice((0, 0.5)),
            rebalance=rng.choice((0, 0.005, 0.02)),
            store_fault=rng.choice((0, 0.05, 0.2)),
            broker_fault=rng.choice((0, 0.05, 0.2)),
            stall=rng.choice((0, 0.02, 0.05)),
            recreates=rng.choice((None, "facts", "derived", "others")),
            recreates_undrained=rng.random() < 0.2,
        )


class Simulation:
    """One seed's world. Another one has its own topics, workers, clients and model."""

    partitions: ClassVar[dict[str, int]] = PARTITIONS
    read: ClassVar[tuple[str, ...]] = tuple(PARTITIONS)
    """The topics that are folded."""
    topic_of: ClassVar[dict[str, str]] = TOPIC_OF

    def __init__(self, seed: int, code: Code = Code()) -> None:  # noqa: B008 - frozen
        self.seed = seed
        self.rng = Random(seed)
        self.code = code
        self.tally = Tally()
        self.dangers = Dangers.draw(self.rng)
        self.scheduler = Scheduler(self.rng, self.dangers.stall)
        self.broker = code.broker(self.partitions, self.rng)
        self.store = code.store(self.scheduler, self.rng, self.dangers.store_fault)
        self.publisher = SimPublisher(self.scheduler, self.rng, self.broker, self.topic_of)
        self.publisher.fault_share = self.dangers.broker_fault
        self.batch_limits = self.rng.choice(((1,), (1, 2, 3), (2, 5, 9), (1, 4, 50)))
        self.patience = Patience(waiting=self._count_error, sleep=self._sleep)
        self.owners: dict[Partition, Owner] = {}
        self.zombies: list[Owner] = []
        self.calm = False

    def run(self) -> Result:
        """Trouble first, then calm until all is folded; then compare with the model."""
        scheduler = self.scheduler
        for topic in self.read:
            for index in range(self.partitions[topic]):
                self._assign((topic, index))
        self._start_clients()
        troubled_steps = self.rng.choice((200, 600, 1500))
        while scheduler.steps < troubled_steps and scheduler.step():
            self._trouble()
        self._calm_down()
        scheduler.run()
        found = self._mistakes()
        self.tally.steps = scheduler.steps
        self.tally.records = sum(len(log) for topic in self.broker.topics.values() for log in topic.partitions)
        scheduler.close()
        return Result(self.seed, found, self.tally)

    def _mistakes(self) -> list[str]:
        return mistakes(self.broker, self.store.collections)

    def _calm_down(self) -> None:
        self.calm = True
        self.scheduler.stall_share = 0
        self.store.fault_share = 0
        self.publisher.fault_share = 0

    # Clients

    def _start_clients(self) -> None:
        sent = self._sendings()
        half = self.rng.randrange(len(sent) + 1)
        self.scheduler.spawn("client", self._client(sent[:half], sent[half:]))

    def _sendings(self) -> list[Sending]:
        return sendings(self.rng, self.rng.randrange(4, 16))

    async def _client(self, before: Sequence[Sending], after: Sequence[Sending]) -> None:
        await self._send(before)
        if self.dangers.recreates is not None:
            await self._recreate(self.dangers.recreates)
        await self._send(after)

    async def _send(self, sent: Sequence[Sending]) -> None:
        for sending in sent:
            for _ in range(self.rng.choice((0, 1, 5))):
                await self.scheduler.pause()
            self.broker.append(sending.topic, sending.partition, sending.key, sending.value, sending.headers)

    async def _recreate(self, topic: str) -> None:
        if not self.dangers.recreates_undrained:
            await self.scheduler.until(lambda: self.broker.drained(topic))
        self.broker.recreate(topic)
        self.tally.recreations += 1

    # Folders

    def _assign(self, partition: Partition) -> None:
        lease = Lease(partition)
        task = self.scheduler.spawn(f"owner of {partition[0]}-{partition[1]}", self._hold(lease))
        self.owners[partition] = Owner(task, lease)

    async def _hold(self, lease: Lease) -> None:
        """Own it again and again, as a worker that restarts does, until the lease is lost."""
        while not lease.lost:
            await self._own(lease)

    async def _own(self, lease: Lease) -> None:
        topic, index = lease.partition
        log = self.broker.log_id(topic, index)
        await self.scheduler.pause()
        position = self.broker.next_offset(log)
        worker = self._worker()
        while True:
            await self.scheduler.until(partial(self._has_work, lease, log, position))
            if self.broker.log_id(topic, index) != log or (lease.lost and lease.batches_left == 0):
                return
            records = self.broker.log(topic, index)[position : position + self.rng.choice(self.batch_limits)]
            if not records:
                return
            lease.batches_left -= lease.lost
            lease.folding = True
            try:
                await self._fold(log, records, worker)
            except Halted:
                self.tally.halts += 1
                return
            except Crashed:
                self.tally.crashes += 1
                return
            finally:
                lease.folding = False
            position += len(records)

    def _has_work(self, lease: Lease, log: LogId, position: int) -> bool:
        if lease.lost:
            return True
        present = self.broker.log_id(log.topic, log.partition)
        return present != log or len(self.broker.log(log.topic, log.partition)) > position

    def _worker(self) -> Any:
        """What an owner remembers for as long as it owns a partition."""
        return self._gauge()

    def _gauge(self) -> PoisonGauge:
        return PoisonGauge(run=self.rng.choice((2, 50)), window=10, share=1.0)

    async def _fold(self, log: LogId, records: Sequence[Record], worker: Any) -> None:
        self.tally.batches += 1
        await self.code.fold_batch(
            log,
            records,
            planner=PLANNER,
            gauge=worker,
            store=self.store,
            publisher=self.publisher,
            commit=partial(self._commit, log),
            patience=self.patience,
        )

    async def _commit(self, log: LogId, next_offset: int) -> None:
        await self.scheduler.pause()
        if self.rng.random() < 0.1 and not self.calm:
            return
        self.broker.commit(log, next_offset)
        await self.scheduler.pause()

    async def _sleep(self, _seconds: float) -> None:
        await self.scheduler.pause()

    def _count_error(self, _problem: Exception) -> None:
        self.tally.away += 1
        if self.rng.random() < self.dangers.crash_on_error:
            raise Crashed

    # Trouble

    def _trouble(self) -> None:
        if self.rng.random() < self.dangers.crash:
            folding = [owner for owner in (*self.owners.values(), *self.zombies) if owner.lease.folding]
            self._crash(self.rng.choice(folding or list(self.owners.values())))
        if self.rng.random() < self.dangers.rebalance:
            self._rebalance(self.rng.choice(list(self.owners)))

    def _crash(self, owner: Owner) -> None:
        self.scheduler.crash(owner.task)
        self.tally.crashes += 1
        if not owner.lease.lost:
            self._assign(owner.lease.partition)

    def _rebalance(self, partition: Partition) -> None:
        """Somebody else owns it now; who did may be asleep, and goes on when it wakes."""
        old = self.owners[partition]
        old.lease.lost = True
        old.lease.batches_left = self.rng.choice((0, 0, 1, 3))
        if self.rng.random() < 0.5:
            old.task.stalled_until = self.scheduler.steps + self.rng.randrange(10, 300)
        self.zombies.append(old)
        self.tally.zombies += 1
        self._assign(partition)


def simulate(seed: int, code: Code = Code()) -> Result:  # noqa: B008 - frozen
    """One run. Raises what the code under test raises and should not."""
    return Simulation(seed, code).run()
