"""Publishes events: many callers share one acknowledgement.

While one flight of batches is under way, what arrives gathers for the next, so a
busy gateway pays the round trip once per flight and an idle one waits for nobody.
A publish returns only when Kafka has the record in sync (`acks=all`).
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from config.settings import KafkaSettings
from config.topics import MAX_RECORD_BYTES, topic_of
from schemas.cloudevents import encode_headers
from schemas.errors import BrokerAway
from schemas.events import Event
from streams import metrics

log = structlog.get_logger()

MAX_WAITING = 50_000
"""Events that may wait for a flight: past this a broker that hangs must not fill the memory."""

REOPEN_SECONDS = 0.5
"""Pause between attempts to reach a broker that is away."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """An event as a record: encoded where it was published, so that one that cannot be is its sender's error alone."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Flight:
    """Records that travel together, and the callers that wait for them.

    One timer for all of them, from the first that boards: nobody waits longer.
    """

    def __init__(self, patience_seconds: float) -> None:
        self.records: list[Outgoing] = []
        self.over = False
        self._callers: list[asyncio.Future[None]] = []
        late = BrokerAway(f"no acknowledgement in {patience_seconds} s")
        self._timer = asyncio.get_running_loop().call_later(patience_seconds, self.fail, late)

    def board(self, records: Sequence[Outgoing]) -> asyncio.Future[None]:
        """Each caller gets a future of its own: one that gives up cancels nothing for the others."""
        self.records.extend(records)
        caller: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._callers.append(caller)
        return caller

    def land(self) -> None:
        self._end()
        for caller in self._callers:
            if not caller.done():
                caller.set_result(None)

    def fail(self, error: BrokerAway) -> None:
        self._end()
        for caller in self._callers:
            if not caller.done():
                caller.set_exception(error)

    def _end(self) -> None:
        self.over = True
        self._timer.cancel()


class Publisher:
    """Open it with `async with`; `publish` may be called by any number of tasks at once.

    Broker away: publishing fails at once with BrokerAway while a background task
    goes on trying to reach it; nothing has to be restarted.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._connected = asyncio.Event()
        self._boarding: Flight | None = None
        self._work = asyncio.Event()
        self._stopping = False
        self._told_away = False

    async def __aenter__(self) -> "Publisher":
        self._runner = asyncio.create_task(self._run(), name="publisher")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Sends what has been accepted, then closes."""
        self._stopping = True
        self._work.set()
        await self._runner

    @property
    def connected(self) -> bool:
        return self._producer is not None

    async def publish(self, events: Sequence[Event]) -> None:
        """Return when all of them are acknowledged. Raises BrokerAway; then some may have been written."""
        if not events:
            return
        if self._runner.done():
            self._runner.result()  # raises what ended it, if that was a bug
        if self._producer is None or self._stopping:
            raise BrokerAway("no connection to Kafka")
        records = [self._outgoing(event) for event in events]
        flight = self._boarding or self._new_flight()
        if len(flight.records) + len(records) > MAX_WAITING:
            raise BrokerAway(f"{MAX_WAITING} events are waiting for Kafka already")
        await flight.board(records)

    def _outgoing(self, event: Event) -> Outgoing:
        topic = topic_of(event.type)
        key = event.subject.encode()
        partition = partition_for(key, topic.partitions)
        return Outgoing(self._settings.prefix + topic.name, partition, key, event.data, encode_headers(event))

    def _new_flight(self) -> Flight:
        self._boarding = Flight(self._settings.publish_timeout_seconds)
        self._work.set()
        return self._boarding

    async def wait_connected(self) -> None:
        """Return once the first connection stands (at start, before work is taken on)."""
        await self._connected.wait()

    async def _run(self) -> None:
        try:
            while True:
                if self._producer is None:
                    if self._stopping:
                        break
                    await self._open()
                    continue
                await self._work.wait()
                self._work.clear()
                flight, self._boarding = self._boarding, None
                if flight is not None and not flight.over:
                    await self._fly(self._producer, flight)
                elif self._stopping:
                    break
        finally:
            if self._boarding is not None:
                self._boarding.fail(BrokerAway("the publisher has stopped"))
            await self._close()

    async def _open(self) -> None:
        producer = new_producer(self._settings)
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            if not self._told_away:
                log.warning("broker_away", error=repr(error))
                self._told_away = True
            await _discard(producer)
            await self._pause()
            return
        self._producer = producer
        self._connected.set()
        self._told_away = False
        log.info("publisher_connected", bootstrap=self._settings.bootstrap)

    async def _pause(self) -> None:
        if not self._stopping:
            await asyncio.sleep(REOPEN_SECONDS)

    async def _fly(self, producer: AIOKafkaProducer, flight: Flight) -> None:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                await self._send(producer, flight.records)
        except (KafkaError, OSError, TimeoutError) as error:
            metrics.PUBLISH_FAILURES.inc()
            log.warning("publish_failed", events=len(flight.records), error=repr(error))
            failure = BrokerAway(f"publish failed: {error!r}")
            flight.fail(failure)
            boarding, self._boarding = self._boarding, None
            if boarding is not None:
                boarding.fail(failure)
            # An expired batch leaves a gap in an idempotent producer's sequence: start a new one.
            await self._close()
            return
        metrics.PUBLISH_SECONDS.observe(time.perf_counter() - started)
        metrics.PUBLISHED.inc(len(flight.records))
        metrics.FLIGHT_EVENTS.observe(len(flight.records))
        flight.land()

    async def _send(self, producer: AIOKafkaProducer, records: Iterable[Outgoing]) -> None:
        by_partition: dict[tuple[str, int], list[Outgoing]] = {}
        for record in records:
            by_partition.setdefault((record.topic, record.partition), []).append(record)
        acks: list[asyncio.Future[object]] = []
        for (topic, partition), waiting in by_partition.items():
            acks += await self._submit(producer, topic, partition, waiting)
        # Not gather: a timeout would cancel the acks, and their errors would then be nobody's.
        done, _ = await asyncio.wait(acks, return_when=asyncio.FIRST_EXCEPTION)
        for ack in done:
            ack.result()

    async def _submit(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[asyncio.Future[object]]:
        batches = [producer.create_batch()]
        for record in records:
            if not _append(batches[-1], record):
                batches.append(producer.create_batch())
                _append(batches[-1], record)  # the first of a batch is taken whatever its size
        acks = []
        for batch in batches:
            ack = await producer.send_batch(batch, topic, partition=partition)
            ack.add_done_callback(_look_at)
            acks.append(ack)
        return acks

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        self._connected.clear()
        if producer is not None:
            await _discard(producer)


def new_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """A producer, not yet started, whose acknowledgement means that all replicas in sync have the record."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        acks="all",
        enable_idempotence=settings.idempotent,
        request_timeout_ms=int(settings.publish_timeout_seconds * 1000),
        max_batch_size=MAX_RECORD_BYTES,
        max_request_size=2 * MAX_RECORD_BYTES,
        retry_backoff_ms=50,
    )


async def _discard(producer: AIOKafkaProducer) -> None:
    """Close without waiting for a broker that may be gone."""
    try:
        async with asyncio.timeout(1):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.debug("producer_close_failed", error=repr(error))


def _look_at(ack: asyncio.Future[object]) -> None:
    """Take note of its error, which comes after the flight was given up."""
    if not ack.cancelled():
        ack.exception()


def _append(batch: BatchBuilder, record: Outgoing) -> bool:
    """False: the batch is full."""
    return batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers) is not None


@lru_cache(maxsize=65_536)
def partition_for(key: bytes, partitions: int) -> int:
    """The partition of a key, as every Kafka client chooses it by default (murmur2)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
