"""What has been published under a test's prefix, read to the end."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnknownError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from config.settings import KafkaSettings
from config.topics import TOPICS
from schemas.cloudevents import decode_record
from schemas.events import Event
from workers.reader import to_record

MARK = b"read to here"


async def published(kafka: KafkaSettings) -> list[Event]:
    """All events on all topics, in each partition's order. May be called again: earlier marks are left out."""
    partitions = [
        TopicPartition(kafka.prefix + topic.name, number) for topic in TOPICS for number in range(topic.partitions)
    ]
    ends = await _mark(kafka, partitions)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        consumer.assign(partitions)
        events = []
        while ends:
            for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                events += [decode_record(to_record(record)) for record in records if record.value != MARK]
                if records[-1].offset >= ends[tp]:
                    consumer.pause(tp)
                    del ends[tp]
        return events
    finally:
        await consumer.stop()


async def _mark(kafka: KafkaSettings, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
    """Write a mark on every partition: an end that does not depend on how a broker counts."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    # What the embedded broker may answer when it has only just begun.
    trying = AsyncRetrying(
        retry=retry_if_exception_type(UnknownError), stop=stop_after_attempt(5), wait=wait_fixed(0.2)
    )
    await producer.start()
    try:
        return {
            tp: (await trying(producer.send_and_wait, tp.topic, MARK, partition=tp.partition)).offset
            for tp in partitions
        }
    finally:
        await producer.stop()
