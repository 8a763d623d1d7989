"""Committed offsets that know their log.

Kafka keeps them by topic name. A topic that is deleted and created again starts at
offset 0, and a late commit of the old log's offset would have the new one's first
records skipped. So a commit carries the creation it belongs to as its metadata.
"""

from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.events import LogId


class Committed(msgspec.Struct, frozen=True):
    """`creation` is empty where somebody else set the offset: an operator, with Kafka's own tools."""

    next_offset: int
    creation: str


async def commit_offset(consumer: AIOKafkaConsumer, log: LogId, next_offset: int) -> None:
    """Raises KafkaError."""
    await consumer.commit({TopicPartition(log.topic, log.partition): (next_offset, log.creation)})


async def committed_offsets(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, Committed]:
    """What the consumer's group has committed; partitions without a commit are left out. Raises KafkaError."""
    # Not consumer.committed(): it asks for one partition at a time and drops the metadata.
    found = await consumer._coordinator.fetch_committed_offsets(list(partitions))
    return {tp: Committed(committed.offset, committed.metadata) for tp, committed in found.items()}


def starting_offset(committed: Committed | None, log: LogId, beginning: int) -> int:
    """Where a new owner of the log goes on: an offset of another creation says nothing about this one."""
    if committed is None or committed.creation not in ("", log.creation):
        return beginning
    return committed.next_offset
