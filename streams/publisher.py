"""Publishes events: many callers share one acknowledgement.

While one flight of batches is under way, what arrives gathers for the next, so a
busy gateway pays the round trip once per flight and an idle one waits for nobody.
A publish returns only when Kafka has the record in sync (`acks=all`).
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

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


class Flight:
    """Events that travel together, and the one future that all their senders await."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()


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
        if self._producer is None or self._stopping:
            raise BrokerAway("no connection to Kafka")
        flight = self._boarding
        if flight is None:
            flight = self._boarding = Flight()
            self._work.set()
        if len(flight.events) + len(events) > MAX_WAITING:
            raise BrokerAway(f"{MAX_WAITING} events are waiting for Kafka already")
        flight.events.extend(events)
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                # Shielded: one caller that gives up must not cancel the flight of the others.
                await asyncio.shield(flight.acknowledged)
        except TimeoutError:
            raise BrokerAway(f"no acknowledgement in {self._settings.publish_timeout_seconds} s") from None

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
                if flight is not None:
                    await self._fly(self._producer, flight)
                elif self._stopping:
                    break
        finally:
            if self._boarding is not None:
                _fail(self._boarding, BrokerAway("the publisher has stopped"))
            await self._close()

    async def _open(self) -> None:
        producer = new_producer(self._settings)
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            log.warning("broker_away", error=repr(error))
            await _discard(producer)
            await self._pause()
            return
        self._producer = producer
        self._connected.set()
        log.info("publisher_connected", bootstrap=self._settings.bootstrap)

    async def _pause(self) -> None:
        if not self._stopping:
            await asyncio.sleep(REOPEN_SECONDS)

    async def _fly(self, producer: AIOKafkaProducer, flight: Flight) -> None:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                await self._send(producer, flight.events)
        except (KafkaError, OSError, TimeoutError) as error:
            metrics.PUBLISH_FAILURES.inc()
            log.warning("publish_failed", events=len(flight.events), error=repr(error))
            failure = BrokerAway(f"publish failed: {error!r}")
            _fail(flight, failure)
            boarding, self._boarding = self._boarding, None
            if boarding is not None:
                _fail(boarding, failure)
            # An expired batch leaves a gap in an idempotent producer's sequence: start a new one.
            await self._close()
            return
        metrics.PUBLISH_SECONDS.observe(time.perf_counter() - started)
        metrics.PUBLISHED.inc(len(flight.events))
        metrics.FLIGHT_EVENTS.observe(len(flight.events))
        if not flight.acknowledged.done():
            flight.acknowledged.set_result(None)

    async def _send(self, producer: AIOKafkaProducer, events: Iterable[Event]) -> None:
        by_partition: dict[tuple[str, int], list[Event]] = {}
        for event in events:
            topic = topic_of(event.type)
            partition = partition_for(event.subject.encode(), topic.partitions)
            by_partition.setdefault((self._settings.prefix + topic.name, partition), []).append(event)
        acks: list[asyncio.Future[object]] = []
        for (topic_name, partition), waiting in by_partition.items():
            acks += await self._submit(producer, topic_name, partition, waiting)
        await asyncio.gather(*acks)

    async def _submit(
        self, producer: AIOKafkaProducer, topic: str, partition: int, events: Sequence[Event]
    ) -> list[asyncio.Future[object]]:
        acks = []
        batch = producer.create_batch()
        for event in events:
            key, headers = event.subject.encode(), encode_headers(event)
            if batch.append(key=key, value=event.data, timestamp=None, headers=headers) is None:
                acks.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=event.data, timestamp=None, headers=headers)
        acks.append(await producer.send_batch(batch, topic, partition=partition))
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


def _fail(flight: Flight, error: BrokerAway) -> None:
    if not flight.acknowledged.done():
        flight.acknowledged.set_exception(error)
        # Every caller may have given up already; then nobody else retrieves it.
        flight.acknowledged.exception()


@lru_cache(maxsize=65_536)
def partition_for(key: bytes, partitions: int) -> int:
    """The partition of a key, as every Kafka client chooses it by default (murmur2)."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
