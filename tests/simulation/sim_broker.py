"""A broker with Kafka's guarantees: partitioned logs, offsets committed by name, acknowledgements that may be lost."""

from collections.abc import Sequence
from random import Random
from zlib import crc32

import msgspec

from schemas.cloudevents import encode_headers
from schemas.errors import BrokerAway
from schemas.events import Event, Headers, LogId, Record
from streams.commits import Committed, starting_offset
from tests.simulation.turns import Turns

PRODUCED_AT_MS = 1_767_225_600_000


class Topic(msgspec.Struct):
    """A topic's present creation."""

    creation: str
    partitions: list[list[Record]]


class SimBroker:
    """Logs in memory. Deleted logs are kept aside for the model, with how far they had been committed."""

    def __init__(self, partitions: dict[str, int], rng: Random) -> None:
        self._rng = rng
        self._creations = 0
        self.topics = {name: self._created(count) for name, count in partitions.items()}
        self.committed: dict[tuple[str, int], Committed] = {}
        self.deleted: list[tuple[LogId, list[Record], int]] = []

    def _created(self, partitions: int) -> Topic:
        return Topic(self.new_creation(), [[] for _ in range(partitions)])

    def new_creation(self) -> str:
        """A topic id that no other creation has."""
        self._creations += 1
        return f"c{self._creations}"

    def log_id(self, topic: str, partition: int) -> LogId:
        return LogId(topic, self.topics[topic].creation, partition)

    def log(self, topic: str, partition: int) -> list[Record]:
        return self.topics[topic].partitions[partition]

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        log = self.log(topic, partition)
        log.append(Record(topic, partition, len(log), PRODUCED_AT_MS, key, value, headers))

    def partition_for(self, topic: str, key: bytes) -> int:
        return crc32(key) % len(self.topics[topic].partitions)

    def next_offset(self, log: LogId) -> int:
        """Where a new owner of this creation starts."""
        return starting_offset(self.committed.get((log.topic, log.partition)), log, 0)

    def commit(self, log: LogId, next_offset: int) -> None:
        """By topic name, as Kafka keeps them: even a late commit to a creation that is gone."""
        self.committed[log.topic, log.partition] = Committed(next_offset, log.creation)

    def recreate(self, topic: str) -> None:
        """Delete a topic and create it again; its logs start at offset 0."""
        for partition, records in enumerate(self.topics[topic].partitions):
            log = self.log_id(topic, partition)
            self.deleted.append((log, records, self.next_offset(log)))
            if self._rng.random() < 0.5:  # some brokers forget what was committed, some do not
                self.committed.pop((topic, partition), None)
        self.topics[topic] = self._created(len(self.topics[topic].partitions))

    def drained(self, topic: str) -> bool:
        """Whether everything in it has been folded and committed."""
        return all(
            self.next_offset(self.log_id(topic, index)) == len(records)
            for index, records in enumerate(self.topics[topic].partitions)
        )


class SimPublisher:
    """Publishes as the real one does: a batch per partition, all or nothing each, in any order."""

    def __init__(self, turns: Turns, rng: Random, broker: SimBroker, topic_of: dict[str, str]) -> None:
        self._turns = turns
        self._rng = rng
        self._broker = broker
        self._topic_of = topic_of
        self.fault_share = 0.0

    async def publish(self, events: Sequence[Event]) -> None:
        batches: dict[tuple[str, int], list[Event]] = {}
        for event in events:
            topic = self._topic_of[event.type]
            partition = self._broker.partition_for(topic, event.subject.encode())
            batches.setdefault((topic, partition), []).append(event)
        shuffled = list(batches.items())
        self._rng.shuffle(shuffled)
        for (topic, partition), batch in shuffled:
            await self._turns.pause()
            if self._rng.random() < self.fault_share:
                self._fail(topic, partition, batch)
            self._write(topic, partition, batch)
        await self._turns.pause()

    def _fail(self, topic: str, partition: int, batch: Sequence[Event]) -> None:
        """Not written, written without an acknowledgement, or written at some later time."""
        match self._rng.randrange(3):
            case 0:
                self._write(topic, partition, batch)
            case 1:
                self._turns.spawn("broker", self._write_late(topic, partition, batch))
        raise BrokerAway("simulated")

    async def _write_late(self, topic: str, partition: int, batch: Sequence[Event]) -> None:
        await self._turns.pause()
        self._write(topic, partition, batch)

    def _write(self, topic: str, partition: int, batch: Sequence[Event]) -> None:
        for event in batch:
            self._broker.append(topic, partition, event.subject.encode(), event.data, encode_headers(event))
