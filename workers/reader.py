"""Reader: a consumer's life, the same for every worker that takes events in.

Partitions run side by side, the batches of one partition one after another. What
happens to a batch is its worker's business; here is the rest: whose partitions
these are, which log they belong to, how far behind they are, and starting afresh
when something is wrong.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from config.settings import FolderSettings, KafkaSettings
from config.topics import TOPICS
from gateway.background import end
from handlers.poison import PoisonGauge
from schemas.errors import BrokerAway, FanfoldError, Halted, Transient
from schemas.events import LogId, Record
from streams.cluster import Cluster, open_cluster
from streams.commits import commit_offset, committed_offsets, starting_offset
from streams.consumers import stop_consumer
from workers import reader_metrics as metrics
from workers.fold_batch import Commit
from workers.health import Health
from workers.retry import Patience
from workers.watchdog import Watchdog

log = structlog.get_logger()

POLL_SECONDS = 0.2
BUSY_POLL_SECONDS = 0.01
"""While a batch is in hand: its partition is not among those asked, and must not wait long to be."""
WATCH_SECONDS = 2.0

# Kafka's own stuck detector counts polls; ours (the watchdog) looks at positions,
# and a batch that waits for MongoDB must not cost the partition.
MAX_POLL_INTERVAL_MS = 24 * 3600 * 1000


class Stuck(FanfoldError):
    """A partition stands still without a reason: open a new consumer."""


class LogReplaced(FanfoldError):
    """A topic was deleted and created again under the consumer: open a new one."""


async def _nowhere(_: int) -> None:
    raise RuntimeError("a holding that no reader holds")


class Holding(msgspec.Struct):
    """A partition this worker holds."""

    log: LogId
    gauge: PoisonGauge
    next_offset: int
    """The position: what is before it has been dealt with and committed."""
    commit: Commit = _nowhere
    patience: Patience = msgspec.field(default_factory=Patience)
    """Shows in the process's health while it waits, and excuses the partition for standing still."""
    batch: asyncio.Task[None] | None = None
    waiting: bool = False
    halted: bool = False
    abandoned: bool = False
    """Its batch was cut off; nothing more may be folded before the partition is taken anew."""


class Limits(msgspec.Struct, frozen=True):
    """How a worker reads. `drain_seconds`: what a stop or a rebalance gives the work in hand."""

    batch_records: int
    fetch_bytes: int
    stuck_after_seconds: float
    drain_seconds: float
    poison_run: int
    poison_window: int
    poison_share: float

    @classmethod
    def of(cls, folder: FolderSettings) -> "Limits":
        return cls(**{name: getattr(folder, name) for name in cls.__struct_fields__})


class Steps(Protocol):
    """What a worker does with what is read."""

    def taken(self, held: "Holding") -> None:
        """A partition is ours from here on; its first batch comes after this."""

    async def batch(self, held: "Holding", records: Sequence[Record]) -> None:
        """Deal with one batch. One at a time for a partition, in the log's order.

        What has to be repeated after a crash is not committed by `held.commit`. Raises
        Halted past the poison ceiling; cancelled when it takes longer than the drain time.
        """

    async def leave(self, held: Sequence["Holding"]) -> None:
        """These partitions are about to be given up: finish what is under way, or let it be. No batch is in hand."""


async def run_reader(
    group: str,
    kafka: KafkaSettings,
    limits: Limits,
    steps: Callable[[Cluster], AbstractAsyncContextManager[Steps]],
    stop: asyncio.Event,
    health: Health,
) -> None:
    """Read until `stop`, with a new consumer whenever the last one is of no more use. Raises what is a bug."""
    patience = patience_with(health, group)
    health.problem(group, "starting")
    while not stop.is_set():
        try:
            async with AsyncExitStack() as attempt:
                cluster = await attempt.enter_async_context(open_cluster(kafka))
                consumer = await attempt.enter_async_context(open_consumer(group, kafka, limits))
                taking = await attempt.enter_async_context(steps(cluster))
                await Reader(group, consumer, cluster, taking, limits, health).run(stop)
        except* (Stuck, LogReplaced, BrokerAway, KafkaError) as failed:
            why = _first(failed)
            reason = type(why).__name__
            metrics.RESTARTS.labels(group, reason).inc()
            log.warning("reader_restarts", group=group, reason=reason, error=str(why)[:300])
            health.problem(group, f"{reason}: {str(why)[:200]}")
            await patience.sleep(1.0)


def _first(failed: BaseExceptionGroup[Exception]) -> Exception:
    """What ended the reader, however many task groups it came through."""
    why = failed.exceptions[0]
    return _first(why) if isinstance(why, BaseExceptionGroup) else why


@asynccontextmanager
async def open_consumer(group: str, kafka: KafkaSettings, limits: Limits) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of the group, not yet subscribed. Raises BrokerAway."""
    session_ms = int(kafka.session_timeout_seconds * 1000)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        group_id=kafka.prefix + group,
        group_instance_id=kafka.instance_id,
        enable_auto_commit=False,
        # Never silently: where to start is decided in `_take`, with the log's identity in hand.
        auto_offset_reset="none",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=max(100, session_ms // 6),
        rebalance_timeout_ms=int(limits.drain_seconds * 1000) + session_ms,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        max_partition_fetch_bytes=limits.fetch_bytes,
        fetch_max_bytes=8 * limits.fetch_bytes,
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await stop_consumer(consumer)
        raise BrokerAway(f"consumer: {error!r}") from error
    try:
        yield consumer
    finally:
        await stop_consumer(consumer)


class Reader(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """One consumer's life, from joining the group to leaving it."""

    def __init__(
        self,
        group: str,
        consumer: AIOKafkaConsumer,
        cluster: Cluster,
        steps: Steps,
        limits: Limits,
        health: Health,
    ) -> None:
        self._group = group
        self._consumer = consumer
        self._cluster = cluster
        self._steps = steps
        self._limits = limits
        self._health = health
        self._watchdog = Watchdog(limits.stuck_after_seconds)
        self._held: dict[TopicPartition, Holding] = {}
        self._progress = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Take batches until `stop`. Raises ExceptionGroup of Stuck, LogReplaced or KafkaError: open another."""
        prefix = self._cluster.prefix
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch(), name="watch")
            self._consumer.subscribe(
                [prefix + topic.name for topic in TOPICS if topic.group == self._group], listener=self
            )
            while not stop.is_set():
                await self._take_assigned()
                await self._poll(tasks)
            await end(watch)
            await self._drain(list(self._held))
        self._health.well(self._group)

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        log.info("partitions_assigned", count=len(assigned))
        if not assigned:  # more workers than partitions: this one stands by, and is well
            self._health.well(self._group)

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Finish what is in hand, or abandon it: both are safe, finishing saves the repeat."""
        await self._drain(revoked)
        for tp in revoked:
            self._held.pop(tp, None)
            metrics.LAG.labels(self._cluster.short(tp.topic), str(tp.partition)).set(0)
        self._watchdog.forget()

    async def _take_assigned(self) -> None:
        """Find out, for each newly assigned partition, which log it is and where to go on."""
        new = [tp for tp in self._consumer.assignment() if tp not in self._held]
        if not new:
            return
        logs = await self._cluster.log_ids(new)
        committed = await committed_offsets(self._consumer, new)
        beginnings = await self._consumer.beginning_offsets(new)
        still_assigned = self._consumer.assignment()
        for tp in new:
            if tp in logs and tp in still_assigned:
                start = starting_offset(committed.get(tp), logs[tp], beginnings[tp])
                self._take(tp, logs[tp], start, beginnings[tp])
        self._health.well(self._group)

    def _take(self, tp: TopicPartition, log_id: LogId, start: int, beginning: int) -> None:
        if start < beginning:
            log.error("events_lost_by_retention", partition=log_id.fence, first_lost=start, events=beginning - start)
            start = beginning
        self._consumer.seek(tp, start)
        gauge = PoisonGauge(
            run=self._limits.poison_run, window=self._limits.poison_window, share=self._limits.poison_share
        )
        held = Holding(log_id, gauge, start)
        held.commit = self._committer(held)
        held.patience = patience_with(self._health, log_id.fence, lambda waiting: setattr(held, "waiting", waiting))
        self._steps.taken(held)
        self._held[tp] = held

    async def _poll(self, tasks: asyncio.TaskGroup) -> None:
        """Start a batch for each partition that has records and none in hand."""
        idle = [tp for tp, held in self._held.items() if held.batch is None and not (held.halted or held.abandoned)]
        if not idle:
            self._progress.clear()
            await self._wait_for_progress()
            return
        wait_seconds = POLL_SECONDS if len(idle) == len(self._held) else BUSY_POLL_SECONDS
        try:
            batches = await self._consumer.getmany(
                *idle, timeout_ms=int(wait_seconds * 1000), max_records=self._limits.batch_records
            )
        except OffsetOutOfRangeError as error:
            raise LogReplaced(f"the log no longer has the offset in hand: {error!r}") from error
        if batches:
            await self._refuse_replaced(batches)
        for tp, records in batches.items():
            held = self._held.get(tp)
            if held is not None and held.batch is None and not held.abandoned:
                held.batch = tasks.create_task(self._batch(held, records), name=f"{self._group} {held.log.fence}")

    async def _refuse_replaced(self, partitions: Iterable[TopicPartition]) -> None:
        """Raise LogReplaced before anything of a new creation is folded under the old one's name.

        Kafka's fetch goes by the topic's name too. Asked after the fetch: what is
        still the old creation now was the old one then.
        """
        for tp, log_id in (await self._cluster.log_ids(partitions)).items():
            held = self._held.get(tp)
            if held is not None and held.log != log_id:
                raise LogReplaced(f"{tp.topic} was created again: {held.log.creation} -> {log_id.creation}")

    async def _wait_for_progress(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._progress.wait()
        except TimeoutError:
            pass

    async def _batch(self, held: Holding, records: Sequence[ConsumerRecord]) -> None:
        try:
            await self._steps.batch(held, [to_record(record) for record in records])
        except Halted as halted:
            held.halted = True
            metrics.HALTED.labels(self._group).inc()
            self._health.problem(held.log.fence, str(halted))
            log.error("partition_halted", partition=held.log.fence, reason=str(halted)[:500])
        except asyncio.CancelledError:
            # The position is past these records: were another batch folded now, its commit would lose them.
            held.abandoned = True
            if not being_cancelled():
                raise Stuck(f"{held.log.fence}: a client gave up a step of its own accord") from None
            raise
        finally:
            held.batch = None
            self._progress.set()

    def _committer(self, held: Holding) -> Commit:
        async def commit(next_offset: int) -> None:
            held.next_offset = next_offset
            try:
                await commit_offset(self._consumer, held.log, next_offset)
            except KafkaError as error:
                # The partition went to another worker, or the broker is away. Either
                # way the batch is read again, and changes nothing.
                metrics.COMMIT_FAILURES.labels(self._group).inc()
                log.warning("commit_failed", partition=held.log.fence, offset=next_offset, error=repr(error))

        return commit

    async def _drain(self, partitions: Sequence[TopicPartition]) -> None:
        """Wait for the batches in hand, up to the drain time, then cancel them; then for what they left under way."""
        leaving = [held for tp in partitions if (held := self._held.get(tp))]
        await self._end_batches(leaving)
        if leaving:
            await self._steps.leave(leaving)

    async def _end_batches(self, leaving: Sequence[Holding]) -> None:
        batches = [held.batch for held in leaving if held.batch]
        if not batches:
            return
        _, unfinished = await asyncio.wait(batches, timeout=self._limits.drain_seconds)
        for batch in unfinished:
            batch.cancel()
        if unfinished:
            log.warning("batches_abandoned", count=len(unfinished))
            await asyncio.wait(unfinished)

    async def _watch(self) -> None:
        """Report lag; raise Stuck or LogReplaced when a partition needs a new consumer."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            held = dict(self._held)
            try:
                ends = await self._consumer.end_offsets(list(held)) if held else {}
                logs = await self._cluster.log_ids(held)
            except (KafkaError, BrokerAway) as error:
                self._health.problem("broker", f"does not answer: {error!r}"[:200])
                continue
            self._health.well("broker")
            assigned = self._consumer.assignment()
            for tp, holding in held.items():
                if tp not in assigned or tp not in self._held:
                    continue  # taken away while we asked
                if tp in logs and logs[tp] != holding.log:
                    raise LogReplaced(f"{tp.topic} was created again: {holding.log.creation} -> {logs[tp].creation}")
                # The fetcher's high watermark too: Tansu's answer for the end stops at the last batch's first record.
                self._look_at(tp, holding, max(ends[tp], self._consumer.highwater(tp) or 0))

    def _look_at(self, tp: TopicPartition, held: Holding, end: int) -> None:
        lag = max(0, end - held.next_offset)
        metrics.LAG.labels(self._cluster.short(tp.topic), str(tp.partition)).set(lag)
        excused = held.waiting or held.halted
        if self._watchdog.observe(held.log.fence, held.next_offset, end, excused=excused, now=time.monotonic()):
            metrics.STUCK.labels(self._group).set(1)
            raise Stuck(f"{held.log.fence} stands at {held.next_offset} with {lag} events behind it")
        metrics.STUCK.labels(self._group).set(0)


def being_cancelled() -> bool:
    """Whether somebody has asked the current task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def patience_with(health: Health, name: str, waiting: Callable[[bool], None] = lambda _: None) -> Patience:
    """Waits that show in the process's health while they last."""

    def tell(problem: Transient) -> None:
        waiting(True)
        metrics.WAITS.labels(type(problem).__name__).inc()
        log.warning("waiting", what=name, error=str(problem)[:300])
        health.problem(name, f"waiting: {problem}"[:300])

    def recovered() -> None:
        waiting(False)
        health.well(name)
        log.info("recovered", what=name)

    return Patience(waiting=tell, recovered=recovered)


def to_record(record: ConsumerRecord) -> Record:
    """Our own record from aiokafka's: its type stops here."""
    return Record(
        record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )
