"""Folder: takes facts from Kafka and folds them into documents.

Partitions run side by side, the batches of one partition one after another; what
happens to a batch, and in which order, is in `workers.fold_batch`. Here is the
rest of a consumer's life: whose partitions these are, which log they belong to,
how far behind they are, and starting afresh when something is wrong.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from config.settings import FolderSettings, KafkaSettings, Settings
from config.topics import TOPICS
from gateway.background import end
from handlers.plan import Planner
from handlers.poison import PoisonGauge
from handlers.routes import ROUTES
from schemas.errors import BrokerAway, FanfoldError, Halted, Transient
from schemas.events import LogId, Record
from stores.mongo import MongoStore, open_database
from stores.store import Store
from streams.cluster import Cluster, open_cluster
from streams.commits import commit_offset, committed_offsets, starting_offset
from streams.consumers import stop_consumer
from streams.publisher import Publisher
from workers import folder_metrics as metrics
from workers.fold_batch import Commit, Publishes, fold_batch
from workers.health import Health
from workers.retry import Patience
from workers.watchdog import Watchdog

log = structlog.get_logger()

GROUP = "folder"
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


class Holding(msgspec.Struct):
    """A partition this worker holds."""

    log: LogId
    gauge: PoisonGauge
    next_offset: int
    batch: asyncio.Task[None] | None = None
    waiting: bool = False
    halted: bool = False
    abandoned: bool = False
    """Its batch was cut off; nothing more may be folded before the partition is taken anew."""


async def run_folder(settings: Settings, stop: asyncio.Event, health: Health) -> None:
    """Fold until `stop`; then the batches in hand are finished. Raises what is a bug."""
    patience = patience_with(health, "folder")
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.mongo))
        publisher = await stack.enter_async_context(Publisher(settings.kafka))
        store = MongoStore(database, settings.mongo.parallel_writes)
        health.problem("folder", "starting")
        while not stop.is_set():
            try:
                async with AsyncExitStack() as attempt:
                    cluster = await attempt.enter_async_context(open_cluster(settings.kafka))
                    consumer = await attempt.enter_async_context(open_consumer(settings.kafka, settings.folder))
                    folder = Folder(consumer, cluster, store, publisher, settings.folder, health)
                    await folder.run(stop)
            except* (Stuck, LogReplaced, BrokerAway, KafkaError) as group:
                reason = type(group.exceptions[0]).__name__
                metrics.RESTARTS.labels(reason).inc()
                log.warning("folder_restarts", reason=reason, error=str(group.exceptions[0])[:300])
                health.problem("folder", f"{reason}: {str(group.exceptions[0])[:200]}")
                await patience.sleep(1.0)


@asynccontextmanager
async def open_consumer(kafka: KafkaSettings, folder: FolderSettings) -> AsyncIterator[AIOKafkaConsumer]:
    """A member of the folder group, not yet subscribed. Raises BrokerAway."""
    session_ms = int(kafka.session_timeout_seconds * 1000)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap,
        group_id=kafka.prefix + GROUP,
        group_instance_id=kafka.instance_id,
        enable_auto_commit=False,
        # Never silently: where to start is decided in `_take`, with the log's identity in hand.
        auto_offset_reset="none",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=max(100, session_ms // 6),
        rebalance_timeout_ms=int(folder.drain_seconds * 1000) + session_ms,
        max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        max_partition_fetch_bytes=folder.fetch_bytes,
        fetch_max_bytes=8 * folder.fetch_bytes,
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


class Folder(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """One consumer's life, from joining the group to leaving it."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        cluster: Cluster,
        store: Store,
        publisher: Publishes,
        settings: FolderSettings,
        health: Health,
    ) -> None:
        self._consumer = consumer
        self._cluster = cluster
        self._store = store
        self._publisher = publisher
        self._settings = settings
        self._health = health
        self._planner = Planner(ROUTES)
        self._watchdog = Watchdog(settings.stuck_after_seconds)
        self._held: dict[TopicPartition, Holding] = {}
        self._progress = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Fold batches until `stop`. Raises ExceptionGroup of Stuck, LogReplaced or KafkaError: open another."""
        prefix = self._cluster.prefix
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch(), name="watch")
            self._consumer.subscribe([prefix + topic.name for topic in TOPICS], listener=self)
            while not stop.is_set():
                await self._take_assigned()
                await self._poll(tasks)
            await end(watch)
            await self._drain(list(self._held))
        self._health.well("folder")

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        log.info("partitions_assigned", count=len(assigned))
        if not assigned:  # more workers than partitions: this one stands by, and is well
            self._health.well("folder")

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
        self._health.well("folder")

    def _take(self, tp: TopicPartition, log_id: LogId, start: int, beginning: int) -> None:
        if start < beginning:
            log.error("events_lost_by_retention", partition=log_id.fence, first_lost=start, events=beginning - start)
            start = beginning
        self._consumer.seek(tp, start)
        gauge = PoisonGauge(
            run=self._settings.poison_run, window=self._settings.poison_window, share=self._settings.poison_share
        )
        self._held[tp] = Holding(log_id, gauge, start)

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
                *idle, timeout_ms=int(wait_seconds * 1000), max_records=self._settings.batch_records
            )
        except OffsetOutOfRangeError as error:
            raise LogReplaced(f"the log no longer has the offset in hand: {error!r}") from error
        if batches:
            await self._refuse_replaced(batches)
        for tp, records in batches.items():
            held = self._held.get(tp)
            if held is not None and held.batch is None and not held.abandoned:
                held.batch = tasks.create_task(self._fold(tp, held, records), name=f"fold {held.log.fence}")

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

    async def _fold(self, tp: TopicPartition, held: Holding, records: Sequence[ConsumerRecord]) -> None:
        started = time.perf_counter()
        try:
            folded = await fold_batch(
                held.log,
                [to_record(record) for record in records],
                planner=self._planner,
                gauge=held.gauge,
                store=self._store,
                publisher=self._publisher,
                commit=self._committer(held),
                patience=self._patience(held),
            )
            metrics.observe_batch(folded, time.perf_counter() - started, datetime.now(UTC))
        except Halted as halted:
            held.halted = True
            metrics.HALTED.inc()
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
                metrics.COMMIT_FAILURES.inc()
                log.warning("commit_failed", partition=held.log.fence, offset=next_offset, error=repr(error))

        return commit

    def _patience(self, held: Holding) -> Patience:
        return patience_with(self._health, held.log.fence, lambda waiting: setattr(held, "waiting", waiting))

    async def _drain(self, partitions: Sequence[TopicPartition]) -> None:
        """Wait for the batches in hand, up to the drain time, then cancel them."""
        batches = [held.batch for tp in partitions if (held := self._held.get(tp)) and held.batch]
        if not batches:
            return
        _, unfinished = await asyncio.wait(batches, timeout=self._settings.drain_seconds)
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
            for tp, holding in held.items():
                if tp in logs and logs[tp] != holding.log:
                    raise LogReplaced(f"{tp.topic} was created again: {holding.log.creation} -> {logs[tp].creation}")
                # The fetcher's high watermark too: Tansu's answer for the end stops at the last batch's first record.
                self._look_at(tp, holding, max(ends[tp], self._consumer.highwater(tp) or 0))

    def _look_at(self, tp: TopicPartition, held: Holding, end: int) -> None:
        lag = max(0, end - held.next_offset)
        metrics.LAG.labels(self._cluster.short(tp.topic), str(tp.partition)).set(lag)
        excused = held.waiting or held.halted
        if self._watchdog.observe(held.log.fence, held.next_offset, end, excused=excused, now=time.monotonic()):
            metrics.STUCK.set(1)
            raise Stuck(f"{held.log.fence} stands at {held.next_offset} with {lag} events behind it")
        metrics.STUCK.set(0)


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
