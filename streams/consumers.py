"""Letting go of a consumer, whatever state its broker is in."""

import asyncio

from aiokafka import AIOKafkaConsumer


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close all connections. Safe to repeat.

    aiokafka (0.14) cancels the fetches it has under way and lets their
    CancelledError out of `stop`, with its client still open. To whoever awaits it
    that looks like an order to stop: a task group takes such a task for done, and
    a worker whose broker was killed ended without a word. So it stops in a task of
    its own.
    """
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait({stopping})
    if not stopping.cancelled():
        stopping.result()
        return
    for fetch in consumer._fetcher._pending_tasks:
        fetch.cancel()
    await consumer._client.close()
