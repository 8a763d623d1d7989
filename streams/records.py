"""Writes records as they are: what an operator puts back into a topic."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from config.settings import KafkaSettings
from schemas.errors import BrokerAway
from schemas.events import Record
from streams.publisher import new_producer


class Sender:
    """Made by `open_sender`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, record: Record) -> None:
        """Append the record to its partition, bytes and time unchanged. Raises BrokerAway; it may be written then."""
        batch = self._producer.create_batch()
        batch.append(key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers))
        try:
            acknowledged = await self._producer.send_batch(batch, record.topic, partition=record.partition)
            await acknowledged
        except (KafkaError, OSError) as error:
            raise BrokerAway(f"{record.topic}-{record.partition} did not take the record: {error!r}") from error


@asynccontextmanager
async def open_sender(settings: KafkaSettings) -> AsyncIterator[Sender]:
    """Connected to the cluster. Raises BrokerAway."""
    producer = new_producer(settings)
    try:
        await producer.start()
    except (KafkaError, OSError) as error:
        await producer.stop()
        raise BrokerAway(f"no broker answers at {settings.bootstrap}: {error!r}") from error
    try:
        yield Sender(producer)
    finally:
        await producer.stop()
