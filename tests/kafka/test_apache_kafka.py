"""What the embedded broker lacks and Apache Kafka has: a log that lasts, identities of topics, producers it knows."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from config.settings import KafkaSettings
from config.topics import TOPICS
from schemas.events import Event
from streams.cluster import open_cluster
from streams.publisher import Publisher
from workers.embedded import apache
from workers.embedded.child import Child, Command, running
from workers.embedded.ports import LOOPBACK, free_port

pytestmark = pytest.mark.kafka

NO_PRODUCER = -1
"""What a batch says whose producer the broker does not know (KIP-98)."""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="module")
def command(port: int, folder: Path) -> Command:
    return apache.command(port, folder, output=folder / "output")


@pytest.fixture
async def broker(command: Command) -> AsyncIterator[Child]:
    """A broker on the folder of the tests before, which may have killed theirs."""
    async with running(command) as child:
        yield child


@pytest.fixture
def kafka(port: int, request: pytest.FixtureRequest) -> KafkaSettings:
    return KafkaSettings(bootstrap=f"{LOOPBACK}:{port}", prefix=f"{request.node.name}.", session_timeout_seconds=6)


async def test_what_was_acknowledged_outlives_a_killed_broker(
    broker: Child, command: Command, kafka: KafkaSettings
) -> None:
    partition = await publish(kafka, "first", "second")
    creations = await creations_of(kafka)
    await commit(kafka, partition, 1)
    await broker.kill()

    async with running(command):
        assert await creations_of(kafka) == creations
        assert await next_from_commit(kafka, partition) == b"second"


async def test_a_topic_made_again_is_another(broker: Child, kafka: KafkaSettings) -> None:
    await sync(kafka)
    before = await creations_of(kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(before))
    finally:
        await admin.close()
    async with asyncio.timeout(30):
        while await creations_of(kafka):  # noqa: ASYNC110 - shown a while longer, by another process
            await asyncio.sleep(0.05)

    await sync(kafka)

    after = await creations_of(kafka)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


async def test_the_broker_knows_the_producer_of_every_batch(broker: Child, folder: Path, kafka: KafkaSettings) -> None:
    partition = await publish(kafka, "first")

    producers = [batch.producer_id for batch in batches(folder, partition)]

    assert producers
    assert NO_PRODUCER not in producers


async def test_a_producer_told_not_to_be_idempotent_stays_unknown(
    broker: Child, folder: Path, kafka: KafkaSettings
) -> None:
    partition = await publish(kafka.model_copy(update={"idempotent": False}), "first")

    assert {batch.producer_id for batch in batches(folder, partition)} == {NO_PRODUCER}


async def sync(kafka: KafkaSettings) -> None:
    async with open_cluster(kafka) as cluster:
        await cluster.sync(TOPICS)


async def creations_of(kafka: KafkaSettings) -> dict[str, str]:
    async with open_cluster(kafka) as cluster:
        return await cluster.creations(kafka.prefix + topic.name for topic in TOPICS)


async def publish(kafka: KafkaSettings, *ids: str) -> TopicPartition:
    """Publish events of one account in this order; returns the partition that has them."""
    await sync(kafka)
    events = [
        Event(
            id=event_id,
            source="test",
            type="account.session.changed",
            subject="7",
            time=datetime(2026, 1, 1, tzinfo=UTC),
            data=b'{"user_id":"7","online":true,"cause":"callback"}',
        )
        for event_id in ids
    ]
    async with Publisher(kafka) as publisher:
        await publisher.wait_connected()
        for event in events:
            await publisher.publish([event])
    return await partition_with_records(kafka)


async def partition_with_records(kafka: KafkaSettings) -> TopicPartition:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap)
    await consumer.start()
    try:
        partitions = [
            TopicPartition(kafka.prefix + topic.name, index) for topic in TOPICS for index in range(topic.partitions)
        ]
        ends = await consumer.end_offsets(partitions)
        (partition,) = [tp for tp, end in ends.items() if end]
        return partition
    finally:
        await consumer.stop()


async def commit(kafka: KafkaSettings, partition: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=kafka.prefix + "group", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        await consumer.commit({partition: offset})
    finally:
        await consumer.stop()


async def next_from_commit(kafka: KafkaSettings, partition: TopicPartition) -> bytes:
    """Id of the event at the group's committed offset."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, group_id=kafka.prefix + "group", enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([partition])
        async with asyncio.timeout(30):
            # Just started, it may say that nothing was ever committed before it has read what was.
            while (committed := await consumer.committed(partition)) is None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        consumer.seek(partition, committed)
        return dict((await consumer.getone(partition)).headers)["ce_id"]
    finally:
        await consumer.stop()


def batches(folder: Path, partition: TopicPartition) -> Iterator[DefaultRecordBatch]:
    """The batches on disk: no client is told who produced one."""
    segment = folder / "log" / f"{partition.topic}-{partition.partition}" / f"{0:020}.log"
    records = MemoryRecords(segment.read_bytes())
    while records.has_next():
        yield records.next_batch()
