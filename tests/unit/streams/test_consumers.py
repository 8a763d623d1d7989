import asyncio
from typing import Any

import pytest

from streams.consumers import stop_consumer


class Client:
    closed = False

    async def close(self) -> None:
        self.closed = True


class Consumer:
    """As far as stopping one goes, and as aiokafka does it."""

    def __init__(self) -> None:
        self._client = Client()
        self._fetcher: Any = self
        self._pending_tasks: set[asyncio.Task[None]] = set()

    async def fetch(self) -> None:
        task = asyncio.create_task(asyncio.sleep(3600))
        self._pending_tasks.add(task)
        await asyncio.sleep(0)

    async def stop(self) -> None:
        for task in self._pending_tasks:
            task.cancel()
            await task
        await self._client.close()


async def test_a_consumer_with_fetches_under_way_is_closed_and_nobody_else_is_cancelled() -> None:
    consumer = Consumer()
    await consumer.fetch()
    await consumer.fetch()

    async with asyncio.TaskGroup() as tasks:
        stopping = tasks.create_task(stop_consumer(consumer))

    assert not stopping.cancelled()
    assert consumer._client.closed
    await asyncio.gather(*consumer._pending_tasks, return_exceptions=True)
    assert all(task.cancelled() for task in consumer._pending_tasks)


async def test_an_error_while_stopping_is_told() -> None:
    class Broken(Consumer):
        async def stop(self) -> None:
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await stop_consumer(Broken())
