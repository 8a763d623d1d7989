"""Recorder: writes what became of deliveries, many at a time.

While one bulk write is under way, what arrives gathers for the next: a busy
dispatcher pays the round trip once for many, an idle one waits for nobody.
"""

import asyncio
from collections.abc import Sequence

from stores.deliveries import Deliveries, Write
from workers.retry import Patience

MOST_AT_ONCE = 500


class Recorder:
    """`run` writes until cancelled; `record` may be called by any number of tasks at once."""

    def __init__(self, deliveries: Deliveries, patience: Patience) -> None:
        self._deliveries = deliveries
        self._patience = patience
        self._gathered: list[tuple[Write, asyncio.Future[bool]]] = []
        self._work = asyncio.Event()

    @property
    def behind(self) -> bool:
        """Whether more waits than one write takes: then no new attempt should be started."""
        return len(self._gathered) > MOST_AT_ONCE

    async def record(self, write: Write) -> bool:
        """Returns once it is written, however long the store is away; False for an insertion that was there already."""
        [fresh] = await self.record_all([write])
        return fresh

    async def record_all(self, writes: Sequence[Write]) -> list[bool]:
        loop = asyncio.get_running_loop()
        written: list[asyncio.Future[bool]] = [loop.create_future() for _ in writes]
        self._gathered += zip(writes, written, strict=True)
        self._work.set()
        return await asyncio.gather(*written)

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._gathered:
                some, self._gathered = self._gathered[:MOST_AT_ONCE], self._gathered[MOST_AT_ONCE:]
                refused = await self._patience.while_transient(self._deliveries.write, [write for write, _ in some])
                there_already = set(refused)
                for index, (_, written) in enumerate(some):
                    if not written.done():
                        written.set_result(index not in there_already)
