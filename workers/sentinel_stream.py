"""The sentinel's stream: failures from Kafka by Faust, their windows in a table with a changelog.

The order is the guarantee: a failure is put into its window, what follows is kept and told, and only
when Kafka has the window's change as well is the failure acknowledged. So a crash reads again what may
not be in the windows, and what is there already is known by its number.

Faust's own way is to commit whether or not the changelog was written, and to go on; a lost change would
be a failure that was never counted. Here it ends the stream, and the next one begins where this was sure.
So does a failure that Faust has left out on the way.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import faust
import msgspec
import structlog
from aiokafka.errors import IllegalStateError
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, EventT, FutureMessage, StreamT
from yarl import URL

from config.settings import Settings
from config.topics import Topic, topic_of
from handlers.alerts import BUCKET_MS
from handlers.letters import letter_for
from handlers.outcome import SEEN, Fact, Outcome, Route
from handlers.plan import Decided, Planner, Poisoned
from handlers.poison import PoisonGauge
from schemas.errors import BrokerAway, Halted
from schemas.events import Event, Record
from schemas.mt.alerts import MAX_PERIOD_SECONDS
from schemas.times import unix_milliseconds
from schemas.usage import UsageFailed
from streams.cluster import Cluster
from streams.publisher import partition_for
from workers import reader_metrics, sentinel_metrics
from workers.fold_batch import Publishes
from workers.retry import Patience
from workers.sentinel_recovery import OrderedTables
from workers.sentinel_watch import Watch

log = structlog.get_logger()

GROUP = "sentinel"
TOPIC: Topic = topic_of("usage.failed")
BUCKET_SECONDS = BUCKET_MS / 1_000
NEVER = -(2**62)
"""Earlier than any call."""
SILENT_MS = 10_000
"""An empty fetch is answered within half a second: a broker that has not answered for so long is away."""


class Fetched(msgspec.Struct, frozen=True):
    """A partition as a fetch has found it: its end, and when that was (Unix milliseconds)."""

    end: int
    at_ms: int


class Windows(faust.Table):  # type: ignore[type-arg]
    """A table that says what of its changelog is on its way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sent: list[FutureMessage] = []

    def send_changelog(self, *args: Any, **kwargs: Any) -> FutureMessage:
        sent = super().send_changelog(*args, **kwargs)
        self.sent.append(sent)
        return sent


class FailureStream:
    """One life of Faust's application: from joining the group until it is stopped, or something breaks."""

    def __init__(
        self,
        settings: Settings,
        watch: Watch,
        publisher: Publishes,
        cluster: Cluster,
        patience: Patience,
        folder: str,
    ) -> None:
        """`folder` is Faust's own: empty, and of no use after this stream."""
        self._settings = settings.sentinel
        self._watch = watch
        self._publisher = publisher
        self._cluster = cluster
        self._patience = patience
        self._topic = settings.kafka.prefix + TOPIC.name
        self._gauge = PoisonGauge(
            run=settings.folder.poison_run, window=settings.folder.poison_window, share=settings.folder.poison_share
        )
        self._generation: int | None = None
        self._unwritten: deque[tuple[EventT[bytes], asyncio.Future[Any]]] = deque()
        """Failures dealt with, while Kafka is yet to have what they have changed."""
        self._done: dict[int, int] = {}
        """Partition to the offset behind the last failure dealt with, and to the time of the newest one."""
        self._newest: dict[int, int] = {}
        self.app = _app(settings, folder)
        expires = MAX_PERIOD_SECONDS + settings.sentinel.late_seconds
        windows = self.app.Table("windows", partitions=TOPIC.partitions).tumbling(BUCKET_SECONDS, expires=expires)
        self._windows = cast("Windows", windows.table)
        topic = self.app.topic(self._topic, key_serializer="raw", value_serializer="raw", allow_empty=True)
        self.app.agent(topic, name="failures", concurrency=1)(self._read)

    async def run(self, stop: asyncio.Event, ready: asyncio.Event) -> None:
        """Until `stop`; `ready` is set while failures are read. Raises what ended the stream."""
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await self.app.start()
            while not (stop.is_set() or self.app.should_stop):
                if self._restored():
                    if self._is_fetching():
                        ready.set()
                    else:
                        ready.clear()
                    await self._patience.while_transient(self._watch.tick, self._reached_by_key)
                    self._watch.forget_old()
                    self._report_lag()
                else:
                    ready.clear()
                await asyncio.wait((stopping,), timeout=self._settings.tick_seconds)
        finally:
            ready.clear()
            stopping.cancel()
            await self.app.stop()
        if self.app.crash_reason is not None:
            raise self.app.crash_reason

    async def _read(self, stream: StreamT[bytes]) -> None:
        async for event in stream.noack().events():  # type: ignore[attr-defined] # not in its interface
            try:
                await self._take(event)
            except Exception as error:
                await self.app.crash(error)
                raise

    async def _take(self, event: EventT[bytes]) -> None:
        """One failure, from its record to its acknowledgement."""
        if not self._restored():
            return  # Of the time before the windows were whole: it comes again.
        record = to_record(event)
        await self._check_follows(record)
        step = PLANNER.decide(record)
        if isinstance(step, Poisoned):
            await self._set_aside(step)
        else:
            self._gauge.observe(poisoned=False)
            if not await self._count(step.event, failed_in(step), record.partition):
                return
        self._done[record.partition] = max(record.offset + 1, self._done.get(record.partition, 0))
        self._acknowledge(event)

    async def _check_follows(self, record: Record) -> None:
        """Raises BrokerAway where failures between the last one and this were not given to us.

        What the topic has no more, for it was kept too long, is not waited for.
        """
        due = self._due(record.partition)
        if record.offset <= due:
            return
        tp = TP(record.topic, record.partition)
        first = (await self.app.consumer.earliest_offsets(tp))[tp]
        if record.offset > first:
            raise BrokerAway(f"{record.topic}-{record.partition}: {due} was due and {record.offset} came")
        log.warning("failures_expired", partition=record.partition, due=due, first=first)

    async def _count(self, event: Event, failed: UsageFailed, partition: int) -> bool:
        """Whether it was: not, if partitions have changed hands meanwhile."""
        key = event.subject
        if not self._watch.knows(failed):
            # Its alert may just have been set.
            generation = self._generation
            await self._patience.while_transient(self._watch.refresh)
            if not self._restored() or generation != self._generation:
                return False
        kept = self._watch.take(key, failed, event.time)
        if kept.changed is not None:
            self._windows[_window(key, kept.changed)] = self._watch.bucket(key, kept.changed)
        for start in kept.gone:
            if (window := _window(key, start)) in self._windows:
                del self._windows[window]
        self._newest[partition] = max(self._newest.get(partition, NEVER), unix_milliseconds(event.time))
        await self._patience.while_transient(self._watch.settle, key, failed, self._reached(partition))
        return True

    async def _set_aside(self, poisoned: Poisoned) -> None:
        record = poisoned.record
        tp = TP(record.topic, record.partition)
        logs = await self._patience.while_transient(self._cluster.log_ids, [tp])
        if tp not in logs:
            raise BrokerAway(f"{record.topic} is not there any more")
        await self._patience.while_transient(self._publisher.publish, [letter_for(poisoned, logs[tp])])
        sentinel_metrics.DEAD_LETTERS.labels(poisoned.reason).inc()
        if self._gauge.observe(poisoned=True):
            raise Halted(f"{record.topic}-{record.partition} at {record.offset}: {poisoned.reason}: too much poison")

    def _acknowledge(self, event: EventT[bytes]) -> None:
        """As soon as Kafka has what this failure has changed in the windows, and those before it.

        In order: Faust may commit what is acknowledged though the one right after the committed is not.
        """
        sent, self._windows.sent = self._windows.sent, []
        written = asyncio.gather(*sent)
        self._unwritten.append((event, written))
        written.add_done_callback(self._acknowledge_written)

    def _acknowledge_written(self, _: "asyncio.Future[Any]") -> None:
        while self._unwritten and self._unwritten[0][1].done():
            event, written = self._unwritten.popleft()
            if written.cancelled():
                return
            if (error := written.exception()) is not None:
                lost = BrokerAway(f"the windows' changelog was not written: {error!r}")
                self._crashing = asyncio.ensure_future(self.app.crash(lost))
                return
            event.ack()

    # ---- where it stands --------------------------------------------------------------------------------------------

    def _restored(self) -> bool:
        """Whether the windows are whole. After a rebalance they are built from the table, once it is whole again."""
        if cast("OrderedTables", self.app.tables).recovery.whole != self.app.consumer_generation_id:
            return False
        if self._generation != self.app.consumer_generation_id:
            self._generation = self.app.consumer_generation_id
            mine = self._partitions()
            self._done = {}
            self._newest = {}
            self._watch.restore(
                (key, round(start * 1_000), bucket)
                for (key, (start, _)), bucket in self._windows.data.items()
                if partition_for(key.encode(), TOPIC.partitions) in mine
            )
            log.info("windows_restored", partitions=sorted(mine), windows=len(self._windows.data))
        return True

    def _partitions(self) -> set[int]:
        return {tp.partition for tp in self.app.consumer.assignment() if tp.topic == self._topic}

    def _fetched(self, partition: int) -> Fetched | None:
        """What the last fetch said; None before the first, and while partitions change hands."""
        tp = TP(self._topic, partition)
        client = cast("Consumer", self.app.consumer)._thread._ensure_consumer()
        try:
            end, at_ms = client.highwater(tp), client.last_poll_timestamp(tp)
        except (AssertionError, IllegalStateError):
            return None
        return None if end is None or at_ms is None else Fetched(end, at_ms)

    def _due(self, partition: int) -> int:
        """The offset of the failure to come next."""
        begins = cast("OrderedTables", self.app.tables).recovery.begins
        return self._done.get(partition, begins.get(TP(self._topic, partition), 0))

    def _lag(self, partition: int, fetched: Fetched) -> int:
        """Failures still to be dealt with."""
        return max(0, fetched.end - self._due(partition))

    def _reached(self, partition: int) -> int:
        """Up to when the failures of a partition are known: as it was fetched last, where all of that was dealt with.

        Not the present: a broker that is away has not said that there is nothing.
        """
        fetched = self._fetched(partition)
        if fetched is not None and self._lag(partition, fetched) == 0:
            known = fetched.at_ms
        else:
            known = self._newest.get(partition, NEVER)
        return known - self._settings.grace_seconds * 1_000

    def _is_fetching(self) -> bool:
        """Whether the broker has lately answered for all partitions that are ours."""
        oldest = unix_milliseconds(datetime.now(UTC)) - SILENT_MS
        fetched = [self._fetched(partition) for partition in self._partitions()]
        return all(each is not None and each.at_ms > oldest for each in fetched)

    def _reached_by_key(self, key: str) -> int | None:
        partition = partition_for(key.encode(), TOPIC.partitions)
        return self._reached(partition) if partition in self._partitions() else None

    def _report_lag(self) -> None:
        for partition in self._partitions():
            if (fetched := self._fetched(partition)) is not None:
                reader_metrics.LAG.labels(TOPIC.name, str(partition)).set(self._lag(partition, fetched))


def _app(settings: Settings, folder: str) -> faust.App:
    kafka = settings.kafka
    session = kafka.session_timeout_seconds
    return faust.App(
        kafka.prefix + GROUP,
        broker=[URL(f"kafka://{address.strip()}") for address in kafka.bootstrap.split(",")],
        Table=Windows,
        TableManager=OrderedTables,
        store="memory://",
        datadir=folder,
        topic_replication_factor=kafka.replication,
        topic_partitions=TOPIC.partitions,
        topic_disable_leader=True,
        topic_allow_declare=True,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=kafka.instance_id,
        broker_session_timeout=session,
        broker_heartbeat_interval=max(0.1, session / 6),
        # The embedded broker lets a first join wait for as long.
        broker_rebalance_timeout=session,
        broker_commit_interval=1.0,
        producer_acks=-1,
        # Asked for its end, the embedded broker names the first record of the last batch (streams.cluster):
        # Faust would restore the windows up to there. So there a batch is one record.
        producer_max_batch_size=16_384 if kafka.idempotent else 1,
        web_enabled=False,
    )


def _window(key: str, start_ms: int) -> tuple[str, tuple[float, float]]:
    """As Faust names a window of a key in its table."""
    start = start_ms / 1_000
    return key, (start, start + BUCKET_SECONDS - 0.1)


def to_record(event: EventT[bytes]) -> Record:
    """Our own record from Faust's: its type stops here."""
    message = event.message
    return Record(
        message.topic,
        message.partition,
        message.offset,
        int(message.timestamp * 1_000),
        message.key,
        message.value,
        tuple(_headers(event)),
    )


def _headers(event: EventT[bytes]) -> Iterator[tuple[str, bytes | None]]:
    yield from (event.headers or {}).items()


def _hand_on(_: Event, failed: UsageFailed) -> Outcome:
    return Outcome(Fact(SEEN, {"failed": failed}))


PLANNER = Planner({"usage.failed": Route(UsageFailed, _hand_on)})


def failed_in(decided: Decided) -> UsageFailed:
    failed: UsageFailed = decided.outcome.fact.body["failed"]
    return failed
